import JSON
import Testing

@testable import SupervisorCore

@Suite(.timeLimit(.minutes(1)))
struct LineStreamTests {
    private static func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test func `a reader gets what was written, in whole lines, and then the end`() async {
        await Bench.run { bench in
            let stream = LineStream(executor: bench.executor)
            await stream.push(["n": 1])
            await stream.push(["n": 2])
            #expect(Self.text(await stream.next()) == "{\"n\":1}\n{\"n\":2}\n")
            let waiting = bench.call { _ in await stream.next() }
            await bench.settle()
            #expect(waiting.result == nil)
            await stream.push(["n": 3])
            await bench.settle()
            #expect(Self.text(try? waiting.result?.get()) == "{\"n\":3}\n")
            await stream.push(["n": 4])
            await stream.finish()
            await stream.push(["n": 5])
            #expect(Self.text(await stream.next()) == "{\"n\":4}\n")
            #expect(await stream.next() == nil)
        }
    }

    @Test func `what a reader does not take in time is dropped, the oldest first, and he is told`() async {
        await Bench.run { bench in
            let stream = LineStream(executor: bench.executor, capacity: 20)
            // Eight bytes each, the line feed included.
            for number in 1...5 { await stream.push(["n": .integer(Int64(number))]) }
            #expect(
                Self.text(await stream.next())
                    == "{\"event\":\"lines.lost\",\"count\":3}\n{\"n\":4}\n{\"n\":5}\n"
            )
            await stream.push(["n": 6])
            #expect(Self.text(await stream.next()) == "{\"n\":6}\n")
        }
    }

    @Test func `a line that is longer than everything is still told`() async {
        await Bench.run { bench in
            let stream = LineStream(executor: bench.executor, capacity: 4)
            await stream.push(["n": 1])
            #expect(Self.text(await stream.next()) == "{\"n\":1}\n")
        }
    }

    @Test func `much is handed out in parts`() async {
        await Bench.run { bench in
            let stream = LineStream(executor: bench.executor)
            let text = JSONValue.string(String(repeating: "x", count: 5000))
            for _ in 0..<5 { await stream.push(text) }
            #expect(await stream.next()?.count == 3 * 5003)
            #expect(await stream.next()?.count == 2 * 5003)
        }
    }

    @Test(arguments: [true, false])
    func `the end is told once, however it comes`(byReader: Bool) async {
        await Bench.run { bench in
            let stream = LineStream(executor: bench.executor)
            let count = Count()
            await stream.atEnd { count.value += 1 }
            let waiting = bench.call { _ in await stream.next() }
            await bench.settle()
            if byReader { await stream.cancel() } else { await stream.finish() }
            await stream.cancel()
            await stream.finish()
            await bench.settle()
            #expect(count.value == 1)
            #expect(waiting.result != nil)
            await stream.atEnd { count.value += 1 }
            #expect(count.value == 2)
        }
    }

    /// `@unchecked Sendable`: only used on the test's one thread.
    private final class Count: @unchecked Sendable {
        var value = 0
    }
}
