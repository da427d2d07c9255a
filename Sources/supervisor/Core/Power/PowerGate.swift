import HostOperations

/// The one gate that reboot and power-off pass: who asked, how far it is, and what comes next.
///
/// A pure state machine: every event returns what is to be done now, and whoever does it reports back with the next event.
/// The gate is closed from the first request until an `.open` effect; meanwhile nothing else may change the device. A
/// request to the host is made once and never again, whatever became of it.
struct PowerGate: Sendable {
    enum Kind: String, Sendable, Hashable {
        case reboot
        case powerOff = "power-off"

        /// For sentences.
        var text: String {
            switch self {
            case .reboot: "reboot"
            case .powerOff: "shutdown"
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
        /// Nobody knows whether the host has accepted: it is being asked, and the callers wait.
        case settling
        /// Nor was that to be found out in time: the callers know, and it is still being asked.
        case unknown
        case accepted
        /// It will not happen: applications are being started again.
        case starting
    }

    enum Event: Sendable, Hashable {
        /// Callers are numbered by whoever keeps them.
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
        /// The core ends: nobody will be told anything later.
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
        /// Others may go on.
        case open
    }

    fileprivate struct Passage: Sendable {
        var kind: Kind
        var phase = Phase.waiting
        /// When the phase began.
        var since: Duration
        var force: Bool
        var callers: [Int]
        /// What callers are told, or were.
        var failure: SupervisorError?
        /// When the host was last known to prepare for it, or was asked.
        var lastSign: Duration
        /// Attempts in a row to find out.
        var asked = 0
        /// Times in a row that the host said that it prepares for nothing.
        var denials = 0
    }

    private var passage: Passage?

    /// How long callers wait for an outcome to be found out.
    static let settlingTime: Duration = .seconds(20)
    /// How long after the acceptance it is asked whether the shutdown is still under way.
    static let acceptanceTime: Duration = .seconds(120)
    /// A machine that still runs so long after the last sign of a shutdown, and cannot be asked, is not shutting down: that
    /// ends this process early on.
    static let patience: Duration = .seconds(600)
    /// A request that was cut off may still be on its way: one denial alone is none.
    static let neededDenials = 2

    var isClosed: Bool { passage != nil }

    /// What goes on, since when; nil while the gate is open.
    var state: (kind: Kind, phase: Phase, since: Duration)? {
        passage.map { ($0.kind, $0.phase, $0.since) }
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
        if case .request(let kind, let caller, let force) = event {
            return request(kind, caller: caller, force: force, at: now)
        }
        guard var passage else { return [] }
        let effects = Self.advance(&passage, event, now)
        self.passage = effects.contains(.open) ? nil : passage
        return effects
    }

    private mutating func request(_ kind: Kind, caller: Int, force: Bool, at now: Duration) -> [Effect] {
        guard let passage else {
            passage = Passage(kind: kind, since: now, force: force, callers: [caller], lastSign: now)
            return [.enter(force: force)]
        }
        guard passage.kind == kind else {
            return [.answer(callers: [caller], SupervisorError(.locked, "A \(passage.kind.text) is under way"))]
        }
        switch passage.phase {
        case .accepted: return [.answer(callers: [caller], nil)]
        case .unknown: return [.answer(callers: [caller], passage.failure)]
        case .waiting, .stopping, .calling, .settling, .starting:
            self.passage?.callers.append(caller)
            return []
        }
    }

    private static func advance(_ passage: inout Passage, _ event: Event, _ now: Duration) -> [Effect] {
        switch (passage.phase, event) {
        case (.waiting, .entered):
            passage.enter(.stopping, now)
            return [.stop(force: passage.force)]
        case (.stopping, .stopped):
            passage.enter(.calling, now)
            passage.lastSign = now
            return [.call(passage.kind)]
        case (.calling, .accepted):
            return accept(&passage, now)
        case (.waiting, .failed(let error)), (.stopping, .failed(let error)), (.calling, .failed(let error)):
            return giveUp(&passage, error, now)
        case (.calling, .outcomeLost(let reason)):
            passage.enter(.settling, now)
            passage.failure = SupervisorError(.failed, "The \(passage.kind.text) was not carried out: \(reason)")
            return [.ask(after: .zero)]
        case (.settling, .status(let preparing)), (.unknown, .status(let preparing)),
            (.accepted, .status(let preparing)):
            return learn(&passage, preparing, now)
        case (.settling, .statusUnavailable(let reason)), (.unknown, .statusUnavailable(let reason)),
            (.accepted, .statusUnavailable(let reason)):
            return wonder(&passage, reason, now)
        case (.starting, .started):
            return passage.answer(passage.failure) + [.open]
        case (.settling, .coreStops):
            let message = "The supervisor stops, and nobody can tell whether the \(passage.kind.text) is under way"
            return passage.answer(SupervisorError(.failed, message))
        default:
            return []
        }
    }

    private static func accept(_ passage: inout Passage, _ now: Duration) -> [Effect] {
        passage.enter(.accepted, now)
        passage.lastSign = now
        return passage.answer(nil) + [.ask(after: acceptanceTime)]
    }

    private static func giveUp(_ passage: inout Passage, _ error: SupervisorError?, _ now: Duration) -> [Effect] {
        passage.enter(.starting, now)
        passage.failure = error
        return [.start]
    }

    /// The host has said what it prepares for.
    private static func learn(
        _ passage: inout Passage,
        _ preparing: PowerStatus.Reply.Preparing,
        _ now: Duration
    ) -> [Effect] {
        passage.asked = 0
        guard let kind = Kind(preparing) else { return deny(&passage, now) }
        passage.denials = 0
        passage.lastSign = now
        if kind != passage.kind {
            // Somebody else's: ours was refused for it, and applications stay stopped for it.
            let failure = SupervisorError(
                .failed,
                "The device does not \(passage.kind.text): a \(kind.text) is under way"
            )
            passage.kind = kind
            passage.enter(.accepted, now)
            return passage.answer(failure) + [.ask(after: .seconds(30))]
        }
        if passage.phase == .accepted { return [.ask(after: .seconds(30))] }
        return accept(&passage, now)
    }

    private static func deny(_ passage: inout Passage, _ now: Duration) -> [Effect] {
        passage.denials += 1
        if passage.phase == .accepted {
            let message = "The \(passage.kind.text) was cancelled, applications start again"
            return giveUp(&passage, SupervisorError(.busy, message, retryAfter: 15), now)
        }
        guard passage.denials >= neededDenials else { return [.ask(after: .seconds(2))] }
        return giveUp(&passage, passage.failure, now)
    }

    /// What the host does was not to be found out this time.
    private static func wonder(_ passage: inout Passage, _ reason: String, _ now: Duration) -> [Effect] {
        passage.denials = 0
        if now - passage.lastSign >= patience {
            let failure = SupervisorError(.failed, "The \(passage.kind.text) has not happened: \(reason)")
            return giveUp(&passage, failure, now)
        }
        guard passage.phase == .settling else { return [.ask(after: .seconds(15))] }
        guard now - passage.since >= settlingTime else {
            passage.asked += 1
            return [.ask(after: min(.milliseconds(500) * (1 << min(passage.asked, 4)), .seconds(5)))]
        }
        let message = "Nobody can tell whether the \(passage.kind.text) is under way: \(reason)"
        let error = SupervisorError(.failed, message)
        passage.enter(.unknown, now)
        return passage.answer(error) + [.ask(after: .seconds(5))]
    }
}

extension PowerGate.Passage {
    fileprivate mutating func enter(_ phase: PowerGate.Phase, _ now: Duration) {
        self.phase = phase
        since = now
    }

    /// Tells everybody who waits.
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
