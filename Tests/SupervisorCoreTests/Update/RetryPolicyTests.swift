import TestSupport
import Testing

@testable import SupervisorCore

struct RetryPolicyTests {
    /// Delays of so many failures in a row.
    private static func delays(_ count: Int, poll: Duration, seed: UInt64 = 1) -> [Duration] {
        var policy = RetryPolicy()
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in policy.failed(pollInterval: poll, using: &generator) }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `each failure doubles the delay from half a second to the poll interval, with jitter below`(seed: UInt64) {
        let delays = Self.delays(40, poll: .seconds(60), seed: seed)
        for (number, delay) in delays.enumerated() {
            let full = number < 7 ? Duration.milliseconds(500) * (1 << number) : .seconds(60)
            #expect(delay <= full)
            #expect(delay >= full / 2)
        }
    }

    @Test func `two devices do not come at the same time`() {
        #expect(Self.delays(5, poll: .seconds(60), seed: 1) != Self.delays(5, poll: .seconds(60), seed: 2))
    }

    @Test func `a short poll interval is the ceiling from the start`() {
        #expect(Self.delays(5, poll: .milliseconds(100)).allSatisfy { $0 <= .milliseconds(100) })
    }

    @Test func `a success starts over`() {
        var policy = RetryPolicy()
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<10 { _ = policy.failed(pollInterval: .seconds(60), using: &generator) }
        #expect(policy.failures == 10)
        policy.succeeded()
        #expect(policy.failures == 0)
        #expect(policy.failed(pollInterval: .seconds(60), using: &generator) <= .milliseconds(500))
    }
}
