import NIOCore
import SupervisorEventLoop
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LoopDeadlineTests {
    /// When the deadline expired. Used on the loop only.
    private final class Expiries {
        var times: [NIODeadline] = []
    }

    private static func pause(_ duration: Duration, _ loop: any EventLoop) async throws {
        try await LoopClock(loop: loop).sleep(for: duration)
    }

    @Test func `it expires once, when its moment has come`() async throws {
        try await onLoop { loop in
            let expiries = Expiries()
            let deadline = LoopDeadline(loop) { expiries.times.append(.now()) }
            let moment = NIODeadline.now() + .milliseconds(20)
            deadline.moment = moment
            deadline.arm()
            while expiries.times.isEmpty { try await Self.pause(.milliseconds(5), loop) }
            #expect(deadline.moment == nil)
            try await Self.pause(.milliseconds(50), loop)
            #expect(expiries.times.count == 1)
            #expect(expiries.times[0] >= moment)
        }
    }

    @Test func `it may be moved away and back`() async throws {
        try await onLoop { loop in
            let expiries = Expiries()
            let deadline = LoopDeadline(loop) { expiries.times.append(.now()) }
            let start = NIODeadline.now()
            deadline.moment = start + .milliseconds(20)
            deadline.arm()
            // Without arming: the timer that is there sees to it.
            deadline.moment = start + .milliseconds(60)
            while expiries.times.isEmpty { try await Self.pause(.milliseconds(5), loop) }
            #expect(expiries.times[0] >= start + .milliseconds(60))

            deadline.moment = .now() + .hours(1)
            deadline.arm()
            deadline.moment = .now() + .milliseconds(20)
            deadline.arm()
            while expiries.times.count < 2 { try await Self.pause(.milliseconds(5), loop) }
        }
    }

    @Test func `it never expires once it is cancelled or its moment is taken away`() async throws {
        try await onLoop { loop in
            let expiries = Expiries()
            let deadlines = (0..<2).map { _ in LoopDeadline(loop) { expiries.times.append(.now()) } }
            for deadline in deadlines {
                deadline.moment = .now() + .milliseconds(10)
                deadline.arm()
            }
            deadlines[0].cancel()
            deadlines[1].moment = nil
            try await Self.pause(.milliseconds(60), loop)
            #expect(expiries.times.isEmpty)
            // A further moment takes effect as the first did.
            deadlines[1].moment = .now() + .milliseconds(10)
            deadlines[1].arm()
            while expiries.times.isEmpty { try await Self.pause(.milliseconds(5), loop) }
        }
    }
}
