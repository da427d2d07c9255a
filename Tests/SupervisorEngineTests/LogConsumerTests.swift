import HTTPTestSupport
import NIOCore
import SupervisorCore
import Testing
import UnixHTTP

@testable import SupervisorEngine

@Suite("What a container wrote")
struct LogConsumerTests {
    private static func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
        let count = text.utf8.count
        return [stream, 0, 0, 0, UInt8(count >> 24 & 255), UInt8(count >> 16 & 255), UInt8(count >> 8 & 255)]
            + [UInt8(count & 255)] + text.utf8
    }

    /// The lines as "1text" and "2text", from pieces of `size` bytes; and the failure at the end.
    private func read(
        _ bytes: [UInt8],
        hasFrames: Bool = true,
        size: Int = .max
    ) -> (lines: [String], failure: EngineError?) {
        let lines = Collected<String>()
        var consumer = LogConsumer(hasFrames: hasFrames) { lines.append(($0.isError ? "2" : "1") + $0.text) }
        for start in stride(from: 0, to: bytes.count, by: min(size, max(1, bytes.count))) {
            let piece = bytes[start...].prefix(size)
            if consumer.receive(ByteBuffer(bytes: piece)) == .stop { break }
        }
        consumer.finish()
        return (lines.all, consumer.failure)
    }

    @Test("falls into lines, whatever the frames and the pieces are", arguments: [1, 2, 3, 7, 8, 9, 64, Int.max])
    func frames(size: Int) {
        let bytes =
            Self.frame(1, "one\ntwo ") + Self.frame(2, "bad\n") + Self.frame(1, "")
            + Self.frame(1, "halves\n\nfour\r\n")
            + Self.frame(2, "no end") + Self.frame(1, "ä")
        let end = read(bytes, size: size)
        #expect(end.lines == ["1one", "2bad", "1two halves", "1", "1four", "1ä", "2no end"])
        #expect(end.failure == nil)
    }

    @Test("has no frames with a terminal", arguments: [1, 5, Int.max])
    func terminal(size: Int) {
        let end = read(Array("one\r\n\u{1}\u{0}two\r\nrest".utf8), hasFrames: false, size: size)
        #expect(end.lines == ["1one", "1\u{1}\u{0}two", "1rest"])
        #expect(end.failure == nil)
    }

    @Test("is nothing at all for a container that is silent", arguments: [true, false])
    func empty(hasFrames: Bool) {
        let end = read([], hasFrames: hasFrames)
        #expect(end.lines.isEmpty)
        #expect(end.failure == nil)
    }

    @Test("has bytes that are no UTF-8 replaced")
    func invalid() {
        #expect(read([0x61, 0xFF, 0x62, 0x0A], hasFrames: false).lines == ["1a\u{FFFD}b"])
    }

    @Test("is cut at 16 KiB a line, not within a character, and goes on with the next line")
    func long() {
        let limit = LogLineAssembler.limit
        let fits = String(repeating: "x", count: limit)
        let cases: [(String, String)] = [
            (fits, fits), (fits + "\r", fits), (fits + "y", fits),
            (String(repeating: "x", count: limit - 1) + "ä", String(repeating: "x", count: limit - 1)),
            (String(repeating: "x", count: limit - 2) + "äz", String(repeating: "x", count: limit - 2) + "ä"),
            (String(repeating: "x", count: 100 * limit), fits),
        ]
        for (written, expected) in cases {
            let lines = read(Self.frame(2, written + "\nnext\n"), size: 1000).lines
            #expect(lines == ["2" + expected, "2next"])
        }
    }

    @Test(
        "is malformed where the frames make no sense",
        arguments: [
            [4, 0, 0, 0, 0, 0, 0, 1, 0x61], [1, 0, 1, 0, 0, 0, 0, 1, 0x61], [1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 9, 0x61],
        ] as [[UInt8]]
    )
    func malformed(bytes: [UInt8]) {
        #expect(read(bytes).failure?.code == .malformedAnswer)
    }

    @Test("ends with what the engine says itself, in bounds")
    func complaint() {
        let end = read(Self.frame(1, "one\n") + Self.frame(3, "Error grabbing logs:\nbecause\n"))
        #expect(end.lines == ["1one"])
        #expect(end.failure == EngineError(.failed, "Error grabbing logs: because"))
        let long = read(Self.frame(3, String(repeating: "x ", count: 1 << 16)))
        #expect((long.failure?.message.utf8.count ?? 0) < 2000)
    }
}

@Suite("The logs of an engine", .timeLimit(.minutes(1)))
struct DockerEngineLogTests {
    private static func detail(tty: Bool) -> String {
        #"{"Id":"a","Name":"/a","Image":"i","Config":{"Image":"i","Tty":\#(tty)},"State":{"Status":"running"}}"#
    }

    @Test(
        "are asked for as many lines as are wanted, with or without frames as the container has a terminal",
        arguments: [
            (false, 100, true, "\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{4}one\n", "tail=100&follow=1"),
            (true, -1, false, "one\r\n", "tail=0&follow=0"),
        ]
    )
    func target(tty: Bool, tail: Int, follow: Bool, written: String, query: String) async throws {
        try await ScriptedEngine.run { request in
            request.target == "/containers/a/json"
                ? [.answer(200, Self.detail(tty: tty))] : [.chunkedHead(200), .chunk(written), .lastChunk]
        } _: { engine, server async throws in
            let lines = Collected<EngineLogLine>()
            try await engine.logs(container: "a", tail: tail, since: nil, follow: follow) { lines.append($0) }
            #expect(lines.all == [EngineLogLine(isError: false, text: "one")])
            #expect(server.calls.last == "GET /v1.41/containers/a/logs?stdout=1&stderr=1&\(query)")
        }
    }

    @Test("cannot be had of a container that is not there")
    func absent() async throws {
        try await ScriptedEngine.run { _ in
            [.answer(404)]
        } _: { engine, server async throws in
            let code = await code { () throws(EngineError) in
                try await engine.logs(container: "a", tail: 1, since: nil, follow: false) { _ in }
            }
            #expect(code == .notFound)
            #expect(server.calls == ["GET /v1.41/containers/a/json"])
        }
    }

    @Test("cannot be had from a driver that keeps none")
    func unreadable() async throws {
        try await ScriptedEngine.run { request in
            request.target == "/containers/a/json"
                ? [.answer(200, Self.detail(tty: false))]
                : [.answer(501, #"{"message":"configured logging driver does not support reading"}"#)]
        } _: { engine, _ async throws in
            let error = await #expect(throws: EngineError.self) {
                try await engine.logs(container: "a", tail: 1, since: nil, follow: false) { _ in }
            }
            #expect(error?.code == .failed)
            #expect(error?.message.contains("driver does not support reading") == true)
        }
    }

    @Test("end with the task that follows them")
    func cancelled() async throws {
        try await ScriptedEngine.run { request in
            request.target == "/containers/a/json"
                ? [.answer(200, Self.detail(tty: true))] : [.chunkedHead(200), .chunk("one\n"), .hang]
        } _: { engine, _ async throws in
            let (begun, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
            let task = Task {
                await code { () throws(EngineError) in
                    try await engine.logs(container: "a", tail: 1, since: nil, follow: true) {
                        continuation.yield($0.text)
                    }
                }
            }
            for await line in begun {
                #expect(line == "one")
                break
            }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }
}
