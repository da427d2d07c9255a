import NIOCore
import SupervisorEventLoop
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LoopClockTests {
    @Test func `a sleep lasts at least as long as asked, and goes on on the loop`() async throws {
        try await onLoop { loop in
            let clock = LoopClock(loop: loop)
            let start = clock.now
            try await clock.sleep(for: .milliseconds(20))
            #expect(clock.now - start >= .milliseconds(20))
            #expect(loop.inEventLoop)
        }
    }

    @Test func `a cancelled sleep ends at once with an error`() async throws {
        try await onLoop { loop in
            let clock = LoopClock(loop: loop)
            let start = clock.now
            let sleeper = Task { try await clock.sleep(for: .seconds(3600)) }
            loop.execute { sleeper.cancel() }
            await #expect(throws: CancellationError.self) { try await sleeper.value }
            #expect(clock.now - start < .seconds(30))
        }
    }

    @Test func `a task that is cancelled already does not sleep`() async throws {
        try await onLoop { loop in
            let clock = LoopClock(loop: loop)
            let sleeper = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await clock.sleep(for: .seconds(3600))
            }
            await #expect(throws: CancellationError.self) { try await sleeper.value }
        }
    }

    @Test func `the wall clock knows that it is later than 2024`() async throws {
        try await onLoop { loop in
            #expect(LoopClock(loop: loop).wallSeconds > 1_700_000_000)
        }
    }

    @Test(
        arguments: [
            (.zero, 0),
            (.seconds(-1), 0),
            (.nanoseconds(-1), 0),
            (.nanoseconds(1), 1),
            (Duration(secondsComponent: 0, attosecondsComponent: 1), 1),
            (.milliseconds(1500), 1_500_000_000),
            (.seconds(Int64.max), .max),
            (.seconds(9_223_372_036) + .nanoseconds(999_999_999), .max),
        ] as [(Duration, Int64)]
    )
    func `a duration becomes nanoseconds without overflow`(duration: Duration, nanoseconds: Int64) {
        #expect(TimeAmount(saturating: duration).nanoseconds == nanoseconds)
    }
}
