import HostOperations

/// The one gate that reboot and power-off pass: who asked, how far it is, and what comes next.
///
/// A pure state machine: every event returns what is to be done now, and the caller reports back with the next event.
/// The gate is closed from the first request until an `.open` effect; meanwhile nothing else may change the device. A
/// request to the host is made once and never again, whatever became of it.
struct PowerGate: Sendable {
    enum Kind: String, Sendable, Hashable {
        case reboot
        case powerOff = "power-off"

        /// In the words of the API, for sentences.
        var apiText: String {
            switch self {
            case .reboot: "reboot"
            case .powerOff: "shutdown"
            }
        }

        /// Completes "cannot …".
        var verb: String {
            switch self {
            case .reboot: "reboot"
            case .powerOff: "power off"
            }
        }
    }

    enum Phase: String, Sendable, Hashable {
        /// For operations under way and for the update locks.
        case waiting
        /// Applications are being stopped.
        case stopping
        /// The host was asked and has not answered.
        case calling
        /// Whether the host has accepted is unknown: it is being asked, and the callers wait.
        case settling
        /// It could not be found out in time: the callers know that, and the core is still asking.
        case unknown
        case accepted
        /// It will not happen: applications are being started again.
        case starting
    }

    enum Event: Sendable, Hashable {
        /// The owner of the callers numbers them.
        case request(Kind, caller: Int, force: Bool)
        /// All applications are ours: their gates and their locks.
        case entered
        /// All applications are stopped.
        case stopped
        case accepted
        /// Something failed, and nothing was asked of the host that it may still do.
        case failed(SupervisorError)
        /// The host was asked, and its answer was lost.
        case outcomeLost(String)
        /// What the host says that it prepares for.
        case status(PowerStatus.Reply.Preparing)
        case statusUnavailable(String)
        /// Applications run again.
        case started
        /// The core stops: this is the last chance to answer.
        case coreStops
    }

    enum Effect: Sendable, Hashable {
        /// Ends with `entered` or `failed`.
        case enter(force: Bool)
        /// Ends with `stopped` or `failed`.
        case stop(force: Bool)
        /// Ends with `accepted`, `failed` or `outcomeLost`.
        case call(Kind)
        /// Ends with `status` or `statusUnavailable`.
        case ask(after: Duration)
        /// Start what was stopped, and give everything back. Ends with `started`.
        case start
        /// nil is success.
        case answer(callers: [Int], SupervisorError?)
        /// Other operations may continue.
        case open
    }

    fileprivate struct Attempt: Sendable {
        var kind: Kind
        var phase = Phase.waiting
        /// When the phase began.
        var since: Duration
        var force: Bool
        var callers: [Int]
        /// What callers get for an answer, or got.
        var failure: SupervisorError?
        /// When the host was last known to prepare for it, or was asked.
        var lastSign: Duration
        /// Attempts in a row to find out.
        var asked = 0
        /// Times in a row that the host said that it prepares for nothing.
        var denials = 0
    }

    private var attempt: Attempt?

    /// How long callers wait for an outcome to be found out.
    static let settlingTime: Duration = .seconds(20)
    /// How long after the acceptance it is asked whether the shutdown is still under way.
    static let acceptanceTime: Duration = .seconds(120)
    /// A machine that still runs so long after the last sign of a shutdown, and cannot be asked, is not shutting down: that
    /// ends this process early on.
    static let patience: Duration = .seconds(600)
    /// A request that was cut off may still be on its way: one denial alone is none.
    static let neededDenials = 2

    var isClosed: Bool { attempt != nil }

    /// What is under way, since when; nil while the gate is open.
    var state: (kind: Kind, phase: Phase, since: Duration)? {
        attempt.map { ($0.kind, $0.phase, $0.since) }
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
        if case .request(let kind, let caller, let force) = event {
            return request(kind, caller: caller, force: force, at: now)
        }
        guard var attempt else { return [] }
        let effects = Self.advance(&attempt, event, now)
        self.attempt = effects.contains(.open) ? nil : attempt
        return effects
    }

    private mutating func request(_ kind: Kind, caller: Int, force: Bool, at now: Duration) -> [Effect] {
        guard let attempt else {
            attempt = Attempt(kind: kind, since: now, force: force, callers: [caller], lastSign: now)
            return [.enter(force: force)]
        }
        guard attempt.kind == kind else {
            return [.answer(callers: [caller], SupervisorError(.locked, "A \(attempt.kind.apiText) is under way"))]
        }
        switch attempt.phase {
        case .accepted: return [.answer(callers: [caller], nil)]
        case .unknown: return [.answer(callers: [caller], attempt.failure)]
        case .waiting, .stopping, .calling, .settling, .starting:
            self.attempt?.callers.append(caller)
            return []
        }
    }

    private static func advance(_ attempt: inout Attempt, _ event: Event, _ now: Duration) -> [Effect] {
        switch (attempt.phase, event) {
        case (.waiting, .entered):
            attempt.enter(.stopping, now)
            return [.stop(force: attempt.force)]
        case (.stopping, .stopped):
            attempt.enter(.calling, now)
            attempt.lastSign = now
            return [.call(attempt.kind)]
        case (.calling, .accepted):
            return accept(&attempt, now)
        case (.waiting, .failed(let error)), (.stopping, .failed(let error)), (.calling, .failed(let error)):
            return giveUp(&attempt, error, now)
        case (.calling, .outcomeLost(let reason)):
            attempt.enter(.settling, now)
            attempt.failure = SupervisorError(.failed, "The \(attempt.kind.apiText) was not carried out: \(reason)")
            return [.ask(after: .zero)]
        case (.settling, .status(let preparing)), (.unknown, .status(let preparing)),
            (.accepted, .status(let preparing)):
            return statusKnown(&attempt, preparing, now)
        case (.settling, .statusUnavailable(let reason)), (.unknown, .statusUnavailable(let reason)),
            (.accepted, .statusUnavailable(let reason)):
            return statusUnknown(&attempt, reason, now)
        case (.starting, .started):
            return attempt.answer(attempt.failure) + [.open]
        case (.settling, .coreStops):
            let message =
                "The supervisor is stopping, and it is not known whether the \(attempt.kind.apiText) is under way"
            return attempt.answer(SupervisorError(.failed, message))
        default:
            return []
        }
    }

    private static func accept(_ attempt: inout Attempt, _ now: Duration) -> [Effect] {
        attempt.enter(.accepted, now)
        attempt.lastSign = now
        return attempt.answer(nil) + [.ask(after: acceptanceTime)]
    }

    private static func giveUp(_ attempt: inout Attempt, _ error: SupervisorError?, _ now: Duration) -> [Effect] {
        attempt.enter(.starting, now)
        attempt.failure = error
        return [.start]
    }

    /// The host has said what it prepares for.
    private static func statusKnown(
        _ attempt: inout Attempt,
        _ preparing: PowerStatus.Reply.Preparing,
        _ now: Duration
    ) -> [Effect] {
        attempt.asked = 0
        guard let kind = Kind(preparing) else { return notPreparing(&attempt, now) }
        attempt.denials = 0
        attempt.lastSign = now
        if kind != attempt.kind {
            // Another program's: ours was refused because of it, and applications stay stopped for it.
            let failure = SupervisorError(
                .failed,
                "The device will not \(attempt.kind.apiText): a \(kind.apiText) is under way"
            )
            attempt.kind = kind
            attempt.enter(.accepted, now)
            return attempt.answer(failure) + [.ask(after: .seconds(30))]
        }
        if attempt.phase == .accepted { return [.ask(after: .seconds(30))] }
        return accept(&attempt, now)
    }

    private static func notPreparing(_ attempt: inout Attempt, _ now: Duration) -> [Effect] {
        attempt.denials += 1
        if attempt.phase == .accepted {
            let message = "The \(attempt.kind.apiText) was cancelled, applications start again"
            return giveUp(&attempt, SupervisorError(.busy, message, retryAfter: 15), now)
        }
        guard attempt.denials >= neededDenials else { return [.ask(after: .seconds(2))] }
        return giveUp(&attempt, attempt.failure, now)
    }

    /// What the host does was not to be found out this time.
    private static func statusUnknown(_ attempt: inout Attempt, _ reason: String, _ now: Duration) -> [Effect] {
        attempt.denials = 0
        if now - attempt.lastSign >= patience {
            let failure = SupervisorError(.failed, "The \(attempt.kind.apiText) has not happened: \(reason)")
            return giveUp(&attempt, failure, now)
        }
        guard attempt.phase == .settling else { return [.ask(after: .seconds(15))] }
        guard now - attempt.since >= settlingTime else {
            attempt.asked += 1
            return [.ask(after: min(.milliseconds(500) * (1 << min(attempt.asked, 4)), .seconds(5)))]
        }
        let message = "Nobody can tell whether the \(attempt.kind.apiText) is under way: \(reason)"
        let error = SupervisorError(.failed, message)
        attempt.enter(.unknown, now)
        return attempt.answer(error) + [.ask(after: .seconds(5))]
    }
}

extension PowerGate.Attempt {
    fileprivate mutating func enter(_ phase: PowerGate.Phase, _ now: Duration) {
        self.phase = phase
        since = now
    }

    /// Answers all who wait.
    fileprivate mutating func answer(_ error: SupervisorError?) -> [PowerGate.Effect] {
        failure = error
        defer { callers = [] }
        return callers.isEmpty ? [] : [.answer(callers: callers, error)]
    }
}

extension PowerGate.Kind {
    fileprivate init?(_ preparing: PowerStatus.Reply.Preparing) {
        switch preparing {
        case .none: return nil
        case .reboot: self = .reboot
        case .powerOff: self = .powerOff
        }
    }
}
