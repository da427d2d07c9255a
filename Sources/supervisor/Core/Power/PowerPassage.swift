import JSON
import Logging

/// A reboot or power-off on its way: the gate, those who wait for the outcome, and what is held while the gate is closed.
struct PowerPassage {
    private var gate = PowerGate()
    /// Resumed with the error, nil being success.
    private var callers: [Int: CheckedContinuation<SupervisorError?, Never>] = [:]
    private var nextCaller = 0
    /// Waits before the host is asked again.
    private var pause: Task<Void, Never>?

    // While the gate is closed.
    private(set) var requestID: String?
    /// Applications whose gates are ours.
    private(set) var entered: [AppID] = []
    private var locks: UpdateLockFiles.Taken?
    /// What lived until we stopped it.
    private(set) var stoppedInstances: [CurrentState.Instance] = []

    // MARK: The gate

    var isClosed: Bool { gate.isClosed }

    /// What is under way, since when; nil while the gate is open.
    var state: (kind: PowerGate.Kind, phase: PowerGate.Phase, since: Duration)? { gate.state }

    mutating func handle(_ event: PowerGate.Event, at now: Duration) -> [PowerGate.Effect] {
        gate.handle(event, at: now)
    }

    // MARK: Callers

    var isCrowded: Bool { callers.count >= AppGate.maximumWaiters }

    /// Returns the number of the caller, who waits from now on. The first one's `requestID` is that of the passage.
    mutating func add(_ caller: CheckedContinuation<SupervisorError?, Never>, requestID: String?) -> Int {
        nextCaller += 1
        callers[nextCaller] = caller
        if !isClosed { self.requestID = requestID }
        return nextCaller
    }

    /// nil is success.
    mutating func answer(_ numbers: [Int], _ error: SupervisorError?) {
        for number in numbers { callers.removeValue(forKey: number)?.resume(returning: error) }
    }

    // MARK: What is held

    mutating func enter(_ app: AppID) { entered.append(app) }

    mutating func leaveAll() -> [AppID] {
        defer { entered = [] }
        return entered
    }

    mutating func hold(_ locks: UpdateLockFiles.Taken) { self.locks = locks }

    /// Returns the locks that were held, for the caller to release.
    mutating func removeLocks() -> UpdateLockFiles.Taken? {
        defer { locks = nil }
        return locks
    }

    mutating func stopped(_ instance: CurrentState.Instance) { stoppedInstances.append(instance) }

    /// The gate is open again.
    mutating func reset() {
        requestID = nil
        entered = []
        locks = nil
        stoppedInstances = []
    }

    // MARK: Pausing

    /// Keeps the task that waits; nil when it has ended.
    mutating func pause(by task: Task<Void, Never>?) { pause = task }

    func cancelPause() { pause?.cancel() }

    // MARK: Reporting

    var metadata: Logger.Metadata { requestID.map { ["request-id": "\($0)"] } ?? [:] }

    /// null while nothing of the kind is under way.
    func json(at now: Duration) -> JSONValue {
        guard let state else { return .null }
        return [
            "kind": .string(state.kind.rawValue),
            "phase": .string(state.phase.rawValue),
            "sinceSec": .integer((now - state.since).components.seconds),
        ]
    }
}
