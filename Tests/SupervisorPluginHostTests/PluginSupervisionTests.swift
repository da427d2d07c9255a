import TestSupport
import Testing

@testable import SupervisorPluginHost

struct PluginSupervisionTests {
    private typealias Event = PluginSupervision.Event
    private typealias Effect = PluginSupervision.Effect

    private static func supervision(
        socket: Bool = false,
        persistent: Bool = false,
        essential: Bool = false,
        random: Double = 0.5
    ) -> PluginSupervision {
        PluginSupervision(
            .init(usesSocket: socket, isPersistent: persistent, isEssential: essential),
            now: .zero,
            random: { random }
        )
    }

    /// One step: at this second this happens, and this is done.
    private struct Step {
        var second: Double
        var event: Event
        var effects: [Effect]
        var state: PluginState

        init(_ second: Double, _ event: Event, _ effects: [Effect], _ state: PluginState) {
            self.second = second
            self.event = event
            self.effects = effects
            self.state = state
        }
    }

    private static func check(
        _ supervision: inout PluginSupervision,
        _ event: Event,
        at time: Duration,
        _ expected: [Effect],
        location: SourceLocation = #_sourceLocation
    ) {
        let effects = supervision.handle(event, at: time)
        #expect(effects == expected, sourceLocation: location)
    }

    private static func play(_ supervision: inout PluginSupervision, _ steps: [Step]) {
        for (number, step) in steps.enumerated() {
            let effects = supervision.handle(step.event, at: .seconds(step.second))
            #expect(effects == step.effects, "step \(number): \(step.event)")
            #expect(supervision.state == step.state, "step \(number): \(step.event)")
        }
    }

    @Test func `one on demand is started by the first call and ended when idle`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(1, .demanded, [.launch], .starting),
                Step(1, .demanded, [], .starting),
                Step(2, .connected, [], .ready),
                Step(2, .busy, [], .ready),
                Step(60, .alarm, [], .ready),
                Step(60, .quiet, [], .ready),
                Step(89, .alarm, [], .ready),
                Step(90, .alarm, [.closeInput], .draining),
                Step(91, .ended, [], .idle),
            ]
        )
        #expect(supervision.nextDue == nil)
    }

    @Test func `a call that comes while it is ended starts it again`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(30, .alarm, [.closeInput], .draining),
                Step(30, .demanded, [], .draining),
                Step(31, .ended, [.launch], .starting),
            ]
        )
    }

    @Test func `a process that does not end is told, then killed`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(30, .alarm, [.closeInput], .draining),
                Step(34, .alarm, [], .draining),
                Step(35, .alarm, [.terminate], .draining),
                Step(40, .alarm, [.kill], .draining),
                Step(99, .alarm, [], .draining),
                Step(99, .ended, [], .idle),
            ]
        )
    }

    @Test func `a socket that does not end is closed, not killed`() {
        var supervision = Self.supervision(socket: true)
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(30, .alarm, [.closeInput], .draining),
                Step(35, .alarm, [.close], .draining),
                Step(35, .ended, [], .idle),
            ]
        )
    }

    @Test(arguments: [(true, false), (false, true)])
    func `persistent and essential ones are started at once`(persistent: Bool, essential: Bool) {
        var supervision = Self.supervision(persistent: persistent, essential: essential)
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [.launch], .starting),
                Step(1, .connected, [], .ready),
                Step(1000, .alarm, essential ? [.closeInput] : [], essential ? .draining : .ready),
            ]
        )
    }

    @Test func `no handshake in time is a failure`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(4.9, .alarm, [], .starting),
                Step(5, .alarm, [.close, .terminate], .backingOff),
            ]
        )
        #expect(supervision.reason == "no handshake within 5.0 s")
    }

    @Test func `nothing is launched before the last one has ended`() {
        var supervision = Self.supervision(persistent: true)
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(1, .failed("x"), [.close, .terminate], .backingOff),
                Step(2, .alarm, [], .backingOff),
                Step(6, .alarm, [.kill], .backingOff),
                Step(7, .ended, [.launch], .starting),
            ]
        )
    }

    @Test func `the delay doubles from half a second to a minute, with full jitter`() {
        for random in [0.0, 0.25, 0.999] {
            var supervision = Self.supervision(persistent: true, random: random)
            _ = supervision.handle(.begin(isThere: true), at: .zero)
            // So rarely that the breaker never trips.
            var now = Duration.zero
            for number in 0..<12 {
                _ = supervision.handle(.connected, at: now)
                now += .seconds(80)
                _ = supervision.handle(.failed("x"), at: now)
                let effects = supervision.handle(.ended, at: now)
                let longest = min(Duration.milliseconds(500) * (1 << number), .seconds(60))
                if random == 0 {
                    #expect(effects == [.launch])
                    continue
                }
                #expect(supervision.nextDue == now + longest * random)
                now = supervision.nextDue ?? now
                Self.check(&supervision, .alarm, at: now, [.launch])
            }
        }
    }

    @Test func `five failures in five minutes trip the breaker, which lets one attempt through after a rest`() {
        var supervision = Self.supervision(persistent: true, random: 0)
        _ = supervision.handle(.begin(isThere: true), at: .zero)
        for number in 1...4 {
            Self.check(&supervision, .failed("x"), at: .seconds(number), [.close, .terminate])
            Self.check(&supervision, .ended, at: .seconds(number), [.launch])
        }
        let effects = supervision.handle(.failed("x"), at: .seconds(5))
        #expect(effects == [.refuse("x; 5 failures in 300 s"), .close, .terminate])
        #expect(supervision.state == .tripped)
        #expect(supervision.recentFailures(at: .seconds(5)) == 5)
        Self.check(&supervision, .ended, at: .seconds(5), [])
        Self.check(&supervision, .demanded, at: .seconds(6), [.refuse("x; 5 failures in 300 s")])
        Self.check(&supervision, .alarm, at: .seconds(304), [])
        #expect(supervision.nextAttempt == .seconds(305))
        Self.check(&supervision, .alarm, at: .seconds(305), [.launch])
        // On probation one failure is enough.
        let again = supervision.handle(.failed("y"), at: .seconds(306))
        #expect(again.first == .refuse("y, again after a pause"))
        #expect(supervision.state == .tripped)
        _ = supervision.handle(.ended, at: .seconds(306))
        Self.check(&supervision, .alarm, at: .seconds(606), [.launch])
        _ = supervision.handle(.connected, at: .seconds(606))
        _ = supervision.handle(.failed("z"), at: .seconds(617))
        #expect(supervision.state == .backingOff)
    }

    @Test func `failures that are further apart than the window never trip`() {
        var supervision = Self.supervision(persistent: true, random: 0)
        _ = supervision.handle(.begin(isThere: true), at: .zero)
        for number in 1...20 {
            _ = supervision.handle(.connected, at: .seconds(number * 76 - 1))
            _ = supervision.handle(.failed("x"), at: .seconds(number * 76))
            Self.check(&supervision, .ended, at: .seconds(number * 76), [.launch])
        }
    }

    @Test func `a reload closes the breaker`() {
        var supervision = Self.supervision(persistent: true, random: 0)
        _ = supervision.handle(.begin(isThere: true), at: .zero)
        for number in 1...5 {
            _ = supervision.handle(.failed("x"), at: .seconds(number))
            _ = supervision.handle(.ended, at: .seconds(number))
        }
        #expect(supervision.state == .tripped)
        Self.check(&supervision, .closeBreaker, at: .seconds(9), [.launch])
        #expect(supervision.recentFailures(at: .seconds(9)) == 0)
    }

    @Test func `after its delay one on demand waits for a call, and tells why it was away`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(0, .failed("refused"), [.close, .terminate], .backingOff),
                Step(0, .ended, [], .backingOff),
                Step(0.1, .undemanded, [], .backingOff),
                Step(0.25, .alarm, [], .idle),
            ]
        )
        #expect(supervision.reason == "after a failure: refused")
    }

    @Test func `a call that waits is served after the delay`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(1, .failed("x"), [.close, .terminate], .backingOff),
                Step(1, .demanded, [], .backingOff),
                Step(1, .ended, [], .backingOff),
                Step(1.25, .alarm, [.launch], .starting),
            ]
        )
    }

    @Test func `a socket that is not there is absent, and its coming is noticed`() {
        var supervision = Self.supervision(socket: true)
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: false), [], .absent),
                Step(1, .demanded, [.launch], .starting),
                Step(1, .missing("not there", isRefused: false), [.refuse("not there"), .close], .absent),
                Step(1, .ended, [], .absent),
                Step(2, .appeared, [], .idle),
                Step(3, .vanished, [], .absent),
            ]
        )
        #expect(supervision.recentFailures(at: .seconds(3)) == 0)
        #expect(supervision.nextDue == nil)
    }

    @Test func `a persistent one is connected as soon as its socket comes`() {
        var supervision = Self.supervision(socket: true, persistent: true)
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: false), [], .absent),
                Step(2, .appeared, [], .absent),
                Step(2.0625, .alarm, [.launch], .starting),
                Step(2.0625, .missing("refused", isRefused: true), [.refuse("refused"), .close], .absent),
                Step(2.0625, .ended, [], .absent),
                Step(2.1875, .alarm, [.launch], .starting),
                Step(2.2, .connected, [], .ready),
            ]
        )
    }

    @Test func `a socket that refuses is looked at ever more slowly, every half minute in the end`() {
        var supervision = Self.supervision(socket: true, persistent: true)
        var now = Duration.zero
        Self.check(&supervision, .begin(isThere: true), at: now, [.launch])
        for number in 0..<12 {
            _ = supervision.handle(.missing("refused", isRefused: true), at: now)
            Self.check(&supervision, .ended, at: now, [])
            let delay = min(Duration.milliseconds(100) * (1 << number), .seconds(30))
            #expect(supervision.nextDue == now + delay)
            now += delay
            Self.check(&supervision, .alarm, at: now, [.launch])
        }
    }

    @Test func `one that is held is not ended as idle before the time`() {
        var supervision = Self.supervision()
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [], .idle),
                Step(0, .held(until: .seconds(120)), [], .idle),
                Step(0, .demanded, [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(119, .alarm, [], .ready),
                Step(120, .alarm, [.closeInput], .draining),
            ]
        )
    }

    @Test func `one with calls under way may finish them before it is ended for good`() {
        var supervision = Self.supervision(persistent: true)
        Self.play(
            &supervision,
            [
                Step(0, .begin(isThere: true), [.launch], .starting),
                Step(0, .connected, [], .ready),
                Step(0, .busy, [], .ready),
                Step(1, .retire, [.requestShutdown], .draining),
                Step(2, .drained, [.closeInput], .draining),
                Step(3, .failed("ended with status 0"), [], .draining),
                Step(3, .ended, [.retired], .draining),
            ]
        )
    }

    @Test(arguments: [PluginState.idle, .absent, .backingOff, .tripped])
    func `what does not run is retired at once`(state: PluginState) {
        var supervision = Self.supervision(socket: state == .absent, random: 0.9)
        _ = supervision.handle(.begin(isThere: state != .absent), at: .zero)
        for _ in 0..<(state == .tripped ? 5 : state == .backingOff ? 1 : 0) {
            _ = supervision.handle(.demanded, at: .zero)
            _ = supervision.handle(.failed("x"), at: .zero)
            _ = supervision.handle(.ended, at: .zero)
            if state == .tripped, supervision.state == .backingOff {
                _ = supervision.handle(.alarm, at: supervision.nextDue ?? .zero)
            }
        }
        #expect(supervision.state == state)
        Self.check(&supervision, .retire, at: .seconds(1), [.retired])
        Self.check(&supervision, .retire, at: .seconds(1), [])
    }

    /// Every sequence of events keeps the promises that the host relies on.
    @Test(arguments: 0..<40)
    func `whatever happens, a launch follows the end of the last one and a retired one stays`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let socket = Bool.random(using: &generator)
        var supervision = Self.supervision(socket: socket, persistent: Bool.random(using: &generator))
        var now = Duration.zero
        var isUp = false
        var isRetired = false
        func check(_ effects: [Effect]) {
            for effect in effects {
                #expect(!isRetired)
                switch effect {
                case .launch:
                    #expect(!isUp)
                    isUp = true
                case .terminate, .kill: #expect(isUp && !socket)
                case .close, .closeInput, .requestShutdown: #expect(isUp)
                case .retired: isRetired = true
                case .refuse: break
                }
            }
        }
        check(supervision.handle(.begin(isThere: Bool.random(using: &generator)), at: now))
        for _ in 0..<400 {
            now += .milliseconds(Int.random(in: 0...4000, using: &generator))
            var events: [Event] = [
                .demanded, .undemanded, .alarm, .appeared, .vanished, .closeBreaker, .held(until: now),
            ]
            if isUp {
                events += [.failed("x"), .ended, .drained]
                if supervision.state == .starting {
                    events += [.connected, .connected]
                    if socket { events.append(.missing("m", isRefused: Bool.random(using: &generator))) }
                }
                if supervision.state == .ready { events += [.busy, .quiet] }
            }
            if Int.random(in: 0..<300, using: &generator) == 0 { events = [.retire] }
            let event = events.randomElement(using: &generator) ?? .alarm
            if event == .ended { isUp = false }
            check(supervision.handle(event, at: now))
            // Whoever is to be woken is woken for something.
            if !isRetired, let due = supervision.nextDue { #expect(due < now + .seconds(400)) }
        }
    }
}
