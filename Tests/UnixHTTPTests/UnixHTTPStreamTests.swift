import HTTPTestSupport
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import UnixHTTP

/// Keeps what it gets, and stops when it has `enough`.
private struct Recorder: BodyConsumer {
    var enough = ""
    var begun = 0
    var text = ""
    var onBytes: @Sendable () -> Void = {}

    mutating func begin() { begun += 1 }

    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision {
        text += String(buffer: bytes)
        onBytes()
        return !enough.isEmpty && text.contains(enough) ? .stop : .proceed
    }
}

@Suite("A streamed answer", .timeLimit(.minutes(1)))
struct UnixHTTPStreamTests {
    @Test("reaches the consumer in order and complete")
    func order() async throws {
        let chunks = ["one ", "two ", "three"].map { ScriptedServer.Step.chunk($0) }
        let steps = [.chunkedHead(200)] + chunks + [.lastChunk]
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let end = try await client(server)
                .stream(.GET, "/", headTimeout: ample, idleTimeout: nil, into: Recorder())
            #expect(end.consumer.begun == 1)
            #expect(end.consumer.text == "one two three")
            #expect(end.response.status == 200)
            #expect(end.response.body.isEmpty)
        }
    }

    @Test("may be far larger than any limit of a collected one")
    func large() async throws {
        let chunk = String(repeating: "0123456789abcdef", count: 1 << 14)
        let steps = [.chunkedHead(200)] + Array(repeating: ScriptedServer.Step.chunk(chunk), count: 16) + [.lastChunk]
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let end = try await client(server)
                .stream(.GET, "/", headTimeout: ample, idleTimeout: ample, limit: 0, into: Recorder())
            #expect(end.consumer.text.utf8.count == 16 * chunk.utf8.count)
        }
    }

    @Test("ends when the consumer has enough, and the connection with it")
    func stop() async throws {
        try await ScriptedServer.run { _ in
            [.chunkedHead(200), .chunk("first last"), .hang]
        } _: { server in
            let end = try await client(server)
                .stream(.GET, "/", headTimeout: ample, idleTimeout: nil, into: Recorder(enough: "last"))
            #expect(end.consumer.text == "first last")
            try await server.clientClosed()
        }
    }

    @Test("that is an error is collected instead, up to the limit")
    func errorAnswer() async throws {
        try await ScriptedServer.run { _ in
            [.answer(500, "{\"message\":\"no\"}")]
        } _: { server in
            let end = try await client(server)
                .stream(.GET, "/", headTimeout: ample, idleTimeout: nil, limit: 16, into: Recorder())
            #expect(end.response.status == 500)
            #expect(String(decoding: end.response.body, as: UTF8.self) == "{\"message\":\"no\"}")
            #expect(end.consumer.begun == 0)
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server)
                    .stream(.GET, "/", headTimeout: ample, idleTimeout: nil, limit: 15, into: Recorder())
            }
            #expect(reason == .answerTooLarge(limit: 15))
        }
    }

    private static let short = Duration.milliseconds(100)

    private static let silences: [(steps: [ScriptedServer.Step], head: Duration, idle: Duration)] = [
        ([.hang], short, ample),
        ([.chunkedHead(500), .chunk("error"), .hang], short, ample),
        ([.chunkedHead(200), .chunk("some"), .hang], ample, short),
        ([.chunkedHead(200), .hang], ample, short),
    ]

    @Test("times out without a head, with an endless error, and when it falls silent", arguments: silences)
    func timeouts(steps: [ScriptedServer.Step], head: Duration, idle: Duration) async throws {
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server)
                    .stream(.GET, "/", headTimeout: head, idleTimeout: idle, into: Recorder())
            }
            #expect(reason == .timedOut(Self.short))
            try await server.clientClosed()
        }
    }

    @Test("may take longer than both time-outs as long as something comes")
    func slowButAlive() async throws {
        let pieces = Array(repeating: [ScriptedServer.Step.chunk("x"), .pause(.milliseconds(200))], count: 30)
        let steps = [.chunkedHead(200)] + pieces.flatMap { $0 } + [.lastChunk]
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let end = try await client(server).stream(
                .GET,
                "/",
                headTimeout: .seconds(5),
                idleTimeout: .seconds(5),
                into: Recorder()
            )
            #expect(end.consumer.text == String(repeating: "x", count: 30))
        }
    }

    @Test(
        "that breaks off fails with `closed`",
        arguments: [
            [ScriptedServer.Step.chunkedHead(200)], [.chunkedHead(200), .chunk("some")],
        ]
    )
    func broken(steps: [ScriptedServer.Step]) async throws {
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server).stream(.GET, "/", headTimeout: ample, idleTimeout: nil, into: Recorder())
            }
            #expect(reason == .closed(answerBegun: true))
        }
    }

    @Test("whose task is cancelled closes its connection")
    func cancellation() async throws {
        try await ScriptedServer.run { _ in
            [.chunkedHead(200), .chunk("some"), .hang]
        } _: { server in
            let (pieces, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let task = Task {
                await reason { () throws(UnixHTTPError) in
                    let consumer = Recorder(onBytes: { continuation.yield() })
                    return try await client(server)
                        .stream(.GET, "/", headTimeout: ample, idleTimeout: nil, into: consumer)
                }
            }
            for await _ in pieces { break }
            task.cancel()
            #expect(await task.value == .cancelled)
            try await server.clientClosed()
        }
    }

    @Test(
        "bears time-outs of any length",
        arguments: [Duration.seconds(Int64.max), .seconds(Int64.max / 1_000_000_000)]
    )
    func eternity(timeout: Duration) async throws {
        try await ScriptedServer.run { _ in
            [.chunkedHead(200), .chunk("x"), .lastChunk]
        } _: { server in
            let end = try await client(server)
                .stream(.GET, "/", headTimeout: timeout, idleTimeout: timeout, into: Recorder())
            #expect(end.consumer.text == "x")
        }
    }
}
