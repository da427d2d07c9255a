import NIOCore
import NIOEmbedded
import Testing

@testable import SupervisorHTTP

@Suite struct TurnQueueTests {
    private let loop = EmbeddedEventLoop()

    @Test func entriesRunInOrderAndFewOfThemInOneTurn() {
        let queue = TurnQueue(loop)
        let ran = Ran()
        for number in 0..<100 { queue.take { ran.numbers.append(number) } }
        // What need not wait is the exception.
        #expect(ran.numbers == Array(0..<8))
        loop.advanceTime(by: .milliseconds(1))
        #expect(ran.numbers.count > 8 && ran.numbers.count <= 8 + 32)
        for _ in 0..<100 { loop.advanceTime(by: .milliseconds(1)) }
        #expect(ran.numbers == Array(0..<100))
    }

    @Test func whatMustWaitIsNotOvertaken() {
        let queue = TurnQueue(loop)
        let ran = Ran()
        queue.append { ran.numbers.append(1) }
        queue.take { ran.numbers.append(2) }
        #expect(ran.numbers.isEmpty)
        loop.advanceTime(by: .milliseconds(1))
        #expect(ran.numbers == [1, 2])
    }

    private final class Ran {
        var numbers: [Int] = []
    }
}
