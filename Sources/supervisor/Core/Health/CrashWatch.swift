/// Services whose process keeps dying, and when to look at them again.
struct CrashWatch {
    /// What a process wrote last is good for so long.
    private static let lineLifetime: Duration = .seconds(30)

    private var tracker = CrashTracker()
    /// Looks whether a crash loop is over, when that may be.
    private var check: Task<Void, Never>?
    /// When the engine was last asked what a service in a crash loop wrote.
    private var linesRead: [ServiceKey: Duration] = [:]

    // MARK: What happens

    /// Returns whether a loop begins with that.
    mutating func died(_ key: ServiceKey, exitCode: Int?, at now: Duration) -> Bool {
        tracker.died(key, exitCode: exitCode, at: now)
    }

    mutating func found(_ key: ServiceKey, exitCode: Int?) { tracker.found(key, exitCode: exitCode) }

    mutating func started(_ key: ServiceKey, at now: Duration) { tracker.started(key, at: now) }

    /// Its container was recreated, or stopped by us. Returns whether a loop ends with that.
    mutating func forget(_ key: ServiceKey) -> Bool {
        linesRead[key] = nil
        return tracker.forget(key)
    }

    // MARK: Last lines

    /// Whether the engine is to be asked now for what the process wrote last.
    mutating func beginReadingLines(of key: ServiceKey, at now: Duration) -> Bool {
        if let before = linesRead[key], now - before < Self.lineLifetime { return false }
        linesRead[key] = now
        return true
    }

    mutating func record(_ lines: [EngineLogLine], of key: ServiceKey) { tracker.record(lines, of: key) }

    // MARK: The check

    /// How long to wait until the next loop may be over; nil where none is about to, or the check is armed.
    func waitForCheck(at now: Duration) -> Duration? {
        guard check == nil, let end = tracker.nextEnd else { return nil }
        return max(end - now, .zero)
    }

    mutating func arm(_ check: Task<Void, Never>) { self.check = check }

    func disarm() { check?.cancel() }

    /// The check that was armed is due. Returns the services whose loop is over.
    mutating func check(at now: Duration) -> [ServiceKey] {
        check = nil
        let ended = tracker.settle(at: now)
        for key in ended { linesRead[key] = nil }
        return ended
    }

    // MARK: What is known

    func isLooping(_ key: ServiceKey, at now: Duration) -> Bool { tracker.isLooping(key, at: now) }

    /// Of the last death.
    func exitCode(of key: ServiceKey) -> Int? { tracker.exitCode(of: key) }

    func lines(of key: ServiceKey, at now: Duration) -> [String] { tracker.lines(of: key, at: now) }
}
