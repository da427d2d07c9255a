import JSON

/// The connection to the engine: whether it answers, which calls are under way, and when its events start the next update
/// check.
struct EngineLink {
    /// An engine may be away that long, while it restarts, before the device counts as unhealthy.
    private static let patience: Duration = .seconds(30)

    private struct Step {
        var name: String
        var since: Duration
        /// How long it may take before something is wrong.
        var limit: Duration
    }

    private(set) var state: EngineState
    private var steps: [Int: Step] = [:]
    private var nextStep = 0
    /// Attempts in a row that did not last.
    private var failures = 0
    /// Follows the engine's events, or waits before the next attempt to.
    private var task: Task<Void, Never>?
    private var eventTrigger: Task<Void, Never>?
    private var lastEventTrigger: Duration = .zero

    init(at now: Duration) {
        state = .away(since: now, reason: "not asked yet")
    }

    var isConnected: Bool {
        if case .connected = state { true } else { false }
    }

    // MARK: Being there, and away

    mutating func connected(_ information: EngineInformation, at now: Duration) {
        state = .connected(since: now, information)
    }

    /// The engine does not answer. Returns whether that, or the reason, is news.
    mutating func disconnected(_ reason: String, at now: Duration) -> Bool {
        switch state {
        case .connected:
            state = .away(since: now, reason: reason)
            return true
        case .away(let since, let before):
            state = .away(since: since, reason: reason)
            return before != reason
        }
    }

    /// An attempt to follow the engine began then and has ended. Returns how long to wait before the next one.
    mutating func attemptEnded(_ began: Duration, at now: Duration) -> Duration {
        failures = now - began > .seconds(10) ? 0 : failures + 1
        return min(Duration.milliseconds(250) * (1 << min(failures, 5)), .seconds(5))
    }

    /// Keeps the task that follows the engine, or waits to; nil when it has ended.
    mutating func follow(by task: Task<Void, Never>?) { self.task = task }

    /// Ends the attempt, or the wait, that is under way.
    func interrupt() { task?.cancel() }

    mutating func stop() {
        interrupt()
        eventTrigger?.cancel()
    }

    // MARK: Calls under way

    /// Returns the number of the step, for `end`.
    mutating func begin(_ name: String, limit: Duration, at now: Duration) -> Int {
        defer { nextStep += 1 }
        steps[nextStep] = Step(name: name, since: now, limit: limit)
        return nextStep
    }

    mutating func end(_ step: Int) { steps[step] = nil }

    // MARK: Events

    /// How long to wait before an event starts an update check: at most one does in a second. nil where one is about to.
    func waitForEventTrigger(at now: Duration) -> Duration? {
        guard eventTrigger == nil else { return nil }
        return max(.milliseconds(100), lastEventTrigger + .seconds(1) - now)
    }

    mutating func triggerSoon(by task: Task<Void, Never>) { eventTrigger = task }

    /// A check is started now.
    mutating func triggered(at now: Duration) { lastEventTrigger = now }

    mutating func eventTriggerIsDue(at now: Duration) {
        eventTrigger = nil
        triggered(at: now)
    }

    // MARK: Reporting

    /// nil while the engine answers, or has been away for a short time only.
    func absence(at now: Duration) -> String? {
        guard case .away(let since, let reason) = state, now - since > Self.patience else { return nil }
        return "The container engine is away for \((now - since).components.seconds) s: \(reason)"
    }

    /// nil while no call takes longer than it may.
    func stuckStep(at now: Duration) -> String? {
        guard let step = steps.values.first(where: { now - $0.since > $0.limit }) else { return nil }
        return "Stuck for \((now - step.since).components.seconds) s in \(step.name)"
    }

    func json(socket: String, at now: Duration) -> JSONValue {
        switch state {
        case .away(let since, let reason):
            [
                "state": "away", "name": nil, "version": nil, "apiVersion": nil,
                "socket": .string(socket),
                "error": .string(reason),
                "sinceSec": .integer((now - since).components.seconds),
            ]
        case .connected(let since, let information):
            [
                "state": "connected",
                "name": .string(information.name),
                "version": .string(information.version),
                "apiVersion": .string(information.apiVersion),
                "socket": .string(socket),
                "error": nil,
                "sinceSec": .integer((now - since).components.seconds),
            ]
        }
    }
}
