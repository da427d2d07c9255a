import LinuxSupport

/// Distinguishes a service whose process keeps dying from one that died once.
///
/// A loop begins with the third death within a minute. It ends when the process has stayed up for a minute, and when the
/// container is recreated or stopped: not between two deaths, however far apart the engine's back-off puts them.
public struct CrashTracker: Sendable, Hashable {
    /// So many deaths within `window` make a loop.
    static let threshold = 3
    static let window: Duration = .seconds(60)
    /// A process that was up for so long has left its loop.
    static let settlingTime: Duration = .seconds(60)
    /// What is shown of what a process wrote before it died.
    static let lineCount = 5
    /// Bytes of each of them.
    static let lineLimit = 512

    private struct History: Sendable, Hashable {
        /// The last `threshold`.
        var deaths: [Duration] = []
        var exitCode: Int?
        /// nil while it does not run, and while it is not known to.
        var startedAt: Duration?
        var isLooping = false
        var lines: [String] = []
    }

    private var histories: [ServiceKey: History] = [:]

    public init() {}

    /// A process ended without having been stopped. Returns whether a loop begins with that.
    @discardableResult
    public mutating func died(_ key: ServiceKey, exitCode: Int?, at now: Duration) -> Bool {
        settle(key, at: now)
        var history = histories[key] ?? History()
        defer { histories[key] = history }
        history.deaths = (history.deaths.filter { now - $0 < Self.window } + [now]).suffix(Self.threshold)
        history.exitCode = exitCode
        history.startedAt = nil
        guard !history.isLooping, history.deaths.count >= Self.threshold else { return false }
        history.isLooping = true
        return true
    }

    /// It was in a loop before the supervisor looked, and waits for the engine's next attempt.
    mutating func found(_ key: ServiceKey, exitCode: Int?) {
        var history = histories[key] ?? History()
        guard !history.isLooping else { return }
        history.isLooping = true
        history.exitCode = exitCode
        histories[key] = history
    }

    /// Its process was started.
    public mutating func started(_ key: ServiceKey, at now: Duration) {
        histories[key]?.startedAt = now
    }

    /// Its container was recreated, or stopped by us. Returns whether a loop ends with that.
    @discardableResult
    public mutating func forget(_ key: ServiceKey) -> Bool {
        histories.removeValue(forKey: key)?.isLooping == true
    }

    /// Ends the loops of those that have stayed up, and returns them.
    public mutating func settle(at now: Duration) -> [ServiceKey] {
        histories.keys.sorted().filter { settle($0, at: now) }
    }

    @discardableResult
    private mutating func settle(_ key: ServiceKey, at now: Duration) -> Bool {
        guard let end = end(of: key), end <= now else { return false }
        histories[key]?.isLooping = false
        histories[key]?.lines = []
        return true
    }

    /// When the next loop ends if nothing dies until then; nil where none is about to.
    public var nextEnd: Duration? { histories.keys.compactMap { end(of: $0) }.min() }

    private func end(of key: ServiceKey) -> Duration? {
        guard let history = histories[key], history.isLooping else { return nil }
        return history.startedAt.map { $0 + Self.settlingTime }
    }

    public func isLooping(_ key: ServiceKey, at now: Duration) -> Bool {
        guard histories[key]?.isLooping == true else { return false }
        return end(of: key).map { $0 > now } ?? true
    }

    /// Of the last death.
    public func exitCode(of key: ServiceKey) -> Int? { histories[key]?.exitCode }

    /// What the process wrote last, oldest first, while it is in a loop.
    public func lines(of key: ServiceKey, at now: Duration) -> [String] {
        isLooping(key, at: now) ? histories[key]?.lines ?? [] : []
    }

    /// Keeps what a process in a loop wrote last.
    mutating func record(_ lines: [EngineLogLine], of key: ServiceKey) {
        guard histories[key]?.isLooping == true else { return }
        histories[key]?.lines = lines.suffix(Self.lineCount).map { $0.text.cut(toBytes: Self.lineLimit) }
    }
}
