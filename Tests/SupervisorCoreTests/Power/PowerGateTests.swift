import HostOperations
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// The state machine by itself.
struct PowerGateTests {
    private static let refusal = SupervisorError(.failed, "an inhibitor refuses")

    /// A gate at some phase with one caller, number 1, who wants a reboot.
    private static func gate(at phase: PowerGate.Phase) -> PowerGate {
        var gate = PowerGate()
        let paths: [PowerGate.Phase: [PowerGate.Event]] = [
            .waiting: [],
            .stopping: [.entered],
            .calling: [.entered, .stopped],
            .settling: [.entered, .stopped, .outcomeLost("the plugin died")],
            .unknown: [.entered, .stopped, .outcomeLost("the plugin died"), .statusUnavailable("away")],
            .accepted: [.entered, .stopped, .accepted],
            .starting: [.failed(refusal)],
        ]
        _ = gate.handle(.request(.reboot, caller: 1, force: false), at: .zero)
        for event in paths[phase] ?? [] {
            if case .statusUnavailable = event {
                _ = gate.handle(event, at: PowerGate.settlingTime)
            } else {
                _ = gate.handle(event, at: .zero)
            }
        }
        #expect(gate.state?.phase == phase)
        return gate
    }

    private static let phases: [PowerGate.Phase] = [
        .waiting, .stopping, .calling, .settling, .unknown, .accepted, .starting,
    ]

    @Test func `an attempt enters, stops, calls and answers, in that order`() {
        var gate = PowerGate()
        #expect(!gate.isClosed)
        #expect(gate.handle(.request(.powerOff, caller: 1, force: true), at: .zero) == [.enter(force: true)])
        #expect(gate.isClosed)
        #expect(gate.handle(.entered, at: .zero) == [.stop(force: true)])
        #expect(gate.handle(.stopped, at: .zero) == [.call(.powerOff)])
        let effects = gate.handle(.accepted, at: .seconds(1))
        #expect(effects == [.answer(callers: [1], nil), .ask(after: PowerGate.acceptanceTime)])
        #expect(gate.isClosed, "nothing else happens until the machine is down")
    }

    @Test(arguments: phases)
    func `who wants the other thing is refused in every phase`(phase: PowerGate.Phase) {
        var gate = Self.gate(at: phase)
        let effects = gate.handle(.request(.powerOff, caller: 2, force: true), at: .zero)
        #expect(effects == [.answer(callers: [2], SupervisorError(.locked, "A reboot is under way"))])
        #expect(gate.state?.phase == phase)
    }

    @Test(arguments: [PowerGate.Phase.waiting, .stopping, .calling, .settling, .starting])
    func `who wants the same joins the first and waits`(phase: PowerGate.Phase) {
        var gate = Self.gate(at: phase)
        #expect(gate.handle(.request(.reboot, caller: 2, force: false), at: .zero) == [])
    }

    @Test func `who wants what is accepted is told so at once`() {
        var gate = Self.gate(at: .accepted)
        let effects = gate.handle(.request(.reboot, caller: 2, force: false), at: .zero)
        #expect(effects == [.answer(callers: [2], nil)])
    }

    @Test func `who wants what nobody knows of is told what the first was told`() {
        var gate = Self.gate(at: .unknown)
        let effects = gate.handle(.request(.reboot, caller: 2, force: false), at: .zero)
        let error = SupervisorError(.failed, "Nobody can tell whether the reboot is under way: away")
        #expect(effects == [.answer(callers: [2], error)])
    }

    @Test(arguments: [PowerGate.Phase.waiting, .stopping, .calling])
    func `a failure starts what was stopped, then answers everybody, then opens`(phase: PowerGate.Phase) {
        var gate = Self.gate(at: phase)
        _ = gate.handle(.request(.reboot, caller: 2, force: false), at: .zero)
        #expect(gate.handle(.failed(Self.refusal), at: .zero) == [.start])
        _ = gate.handle(.request(.reboot, caller: 3, force: false), at: .zero)
        #expect(gate.handle(.started, at: .zero) == [.answer(callers: [1, 2, 3], Self.refusal), .open])
        #expect(!gate.isClosed)
        #expect(gate.handle(.request(.powerOff, caller: 4, force: false), at: .zero) == [.enter(force: false)])
    }

    // MARK: A lost outcome

    @Test func `a lost outcome that the host knows as under way is a success`() {
        var gate = Self.gate(at: .calling)
        #expect(gate.handle(.outcomeLost("the plugin died"), at: .zero) == [.ask(after: .zero)])
        let effects = gate.handle(.status(.reboot), at: .seconds(1))
        #expect(effects == [.answer(callers: [1], nil), .ask(after: PowerGate.acceptanceTime)])
    }

    @Test func `a lost outcome counts as refused when the host denies it twice in a row`() {
        var gate = Self.gate(at: .settling)
        #expect(gate.handle(.status(.none), at: .seconds(1)) == [.ask(after: .seconds(2))])
        #expect(gate.handle(.statusUnavailable("away"), at: .seconds(2)) == [.ask(after: .seconds(1))])
        #expect(gate.handle(.status(.none), at: .seconds(3)) == [.ask(after: .seconds(2))])
        #expect(gate.handle(.status(.none), at: .seconds(5)) == [.start])
        let error = SupervisorError(.failed, "The reboot was not carried out: the plugin died")
        #expect(gate.handle(.started, at: .seconds(6)) == [.answer(callers: [1], error), .open])
    }

    @Test func `a denial before the acceptance is seen is no denial`() {
        var gate = Self.gate(at: .settling)
        _ = gate.handle(.status(.none), at: .seconds(1))
        #expect(gate.handle(.status(.reboot), at: .seconds(3)).first == .answer(callers: [1], nil))
    }

    @Test func `a shutdown of somebody else's keeps the gate closed and the caller without`() {
        var gate = Self.gate(at: .settling)
        let effects = gate.handle(.status(.powerOff), at: .seconds(1))
        let error = SupervisorError(.failed, "The device will not reboot: a shutdown is under way")
        #expect(effects == [.answer(callers: [1], error), .ask(after: .seconds(30))])
        #expect(gate.state?.kind == .powerOff)
        #expect(gate.state?.phase == .accepted)
        #expect(gate.handle(.request(.powerOff, caller: 2, force: false), at: .zero) == [.answer(callers: [2], nil)])
    }

    @Test func `what is not found out in time is told so, and is asked for further on`() {
        var gate = Self.gate(at: .settling)
        var now: Duration = .zero
        var asked = 0
        while true {
            let effects = gate.handle(.statusUnavailable("away"), at: now)
            if case .ask(let delay)? = effects.first, effects.count == 1 {
                asked += 1
                #expect(delay >= .milliseconds(500))
                now += delay
                continue
            }
            let error = SupervisorError(.failed, "Nobody can tell whether the reboot is under way: away")
            #expect(effects == [.answer(callers: [1], error), .ask(after: .seconds(5))])
            break
        }
        #expect((3...20).contains(asked))
        #expect(now >= PowerGate.settlingTime && now <= PowerGate.settlingTime + .seconds(5))
        #expect(gate.state?.phase == .unknown)
    }

    @Test func `an unknown outcome that turns out as a shutdown is waited for without an answer`() {
        var gate = Self.gate(at: .unknown)
        #expect(gate.handle(.status(.reboot), at: .seconds(60)) == [.ask(after: PowerGate.acceptanceTime)])
        #expect(gate.state?.phase == .accepted)
    }

    @Test func `an unknown outcome that turns out as none starts applications again`() {
        var gate = Self.gate(at: .unknown)
        #expect(gate.handle(.status(.none), at: .seconds(60)) == [.ask(after: .seconds(2))])
        #expect(gate.handle(.status(.none), at: .seconds(62)) == [.start])
        #expect(gate.handle(.started, at: .seconds(63)) == [.open])
    }

    @Test(arguments: [PowerGate.Phase.unknown, .accepted])
    func `a machine that runs on for long and cannot be asked is not shutting down`(phase: PowerGate.Phase) {
        var gate = Self.gate(at: phase)
        #expect(gate.handle(.statusUnavailable("away"), at: .seconds(590)) == [.ask(after: .seconds(15))])
        #expect(gate.handle(.statusUnavailable("away"), at: PowerGate.patience) == [.start])
        _ = gate.handle(.request(.reboot, caller: 2, force: false), at: PowerGate.patience)
        let effects = gate.handle(.started, at: PowerGate.patience)
        #expect(
            effects == [.answer(callers: [2], SupervisorError(.failed, "The reboot has not happened: away")), .open]
        )
    }

    @Test func `an accepted shutdown is waited for as long as the host knows of it`() {
        var gate = Self.gate(at: .accepted)
        for minute in 2..<100 {
            let effects = gate.handle(.status(.reboot), at: .seconds(60 * minute))
            #expect(effects == [.ask(after: .seconds(30))])
        }
    }

    @Test func `a cancelled shutdown starts applications again`() {
        var gate = Self.gate(at: .accepted)
        #expect(gate.handle(.status(.none), at: .seconds(120)) == [.start])
        _ = gate.handle(.request(.reboot, caller: 2, force: false), at: .seconds(120))
        let effects = gate.handle(.started, at: .seconds(121))
        let error = SupervisorError(.busy, "The reboot was cancelled, applications start again", retryAfter: 15)
        #expect(effects == [.answer(callers: [2], error), .open])
    }

    @Test func `the end of the core answers who still waits for an outcome`() {
        var gate = Self.gate(at: .settling)
        guard case .answer(callers: [1], let error?)? = gate.handle(.coreStops, at: .zero).first else {
            Issue.record("nobody is answered")
            return
        }
        #expect(error.code == .failed)
        #expect(gate.isClosed)
    }

    @Test(arguments: 0..<200)
    func `whatever happens, the host is asked once and every caller is answered once`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var gate = PowerGate()
        var calls = 0
        var waiting: Set<Int> = []
        var now: Duration = .zero
        for number in 0..<400 {
            now += .milliseconds(Int64.random(in: 0...20_000, using: &random))
            let events: [PowerGate.Event] = [
                .request(.reboot, caller: number, force: false), .request(.powerOff, caller: number, force: true),
                .entered, .stopped, .accepted, .failed(Self.refusal), .outcomeLost("x"), .status(.none),
                .status(.reboot), .status(.powerOff), .statusUnavailable("y"), .started,
            ]
            let event = events[Int.random(in: 0..<events.count, using: &random)]
            if case .request(_, let caller, _) = event { waiting.insert(caller) }
            for effect in gate.handle(event, at: now) {
                switch effect {
                case .call: calls += 1
                case .answer(let callers, _):
                    for caller in callers { #expect(waiting.remove(caller) != nil, "answered twice") }
                case .open:
                    #expect(waiting.isEmpty, "somebody was forgotten")
                    calls = 0
                default: break
                }
            }
            #expect(calls <= 1)
        }
    }
}
