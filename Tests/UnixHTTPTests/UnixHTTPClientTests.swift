import Glibc
import HTTPTestSupport
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import UnixHTTP

/// Time for what must come; far more than it takes.
let ample = Duration.seconds(20)

func client(_ server: ScriptedServer) -> UnixHTTPClient {
    UnixHTTPClient(path: server.path, loop: MultiThreadedEventLoopGroup.singleton.next())
}

/// Runs `body` and returns why it failed; nil where it did not.
func reason(_ body: () async throws(UnixHTTPError) -> some Any) async -> UnixHTTPError.Reason? {
    do throws(UnixHTTPError) {
        _ = try await body()
        return nil
    } catch {
        return error.reason
    }
}

@Suite("A request over a unix socket", .timeLimit(.minutes(1)))
struct UnixHTTPClientTests {
    static let framings = [
        "HTTP/1.1 201 Created\r\nX-Kind: length\r\nContent-Length: 11\r\n\r\nhello world",
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n",
        "HTTP/1.1 201 Created\r\n\r\nhello world",
        "HTTP/1.0 201 Created\r\n\r\nhello world",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 11\r\n\r\nhello world",
    ]

    @Test("gets the whole answer, however it is framed and cut", arguments: framings, [false, true])
    func collects(answer: String, bytewise: Bool) async throws {
        try await ScriptedServer.run { _ in
            [bytewise ? .sendBytewise(answer) : .send(answer)]
        } _: { server in
            let response = try await client(server).request(.GET, "/x", timeout: ample, limit: 11)
            #expect(response.status == 201)
            #expect(response.isSuccess)
            #expect(String(decoding: response.body, as: UTF8.self) == "hello world")
        }
    }

    @Test("is done when the answer is, although the server keeps the connection open")
    func doesNotWaitForClose() async throws {
        try await ScriptedServer.run { _ in
            [.answer(404, headers: ["A: b"], "no"), .hang]
        } _: { server in
            let response = try await client(server).request(.GET, "/x", timeout: ample, limit: 100)
            #expect(
                response
                    == UnixHTTPResponse(
                        status: 404,
                        headers: ["A": "b", "Content-Length": "2"],
                        body: Array("no".utf8)
                    )
            )
            try await server.clientClosed()
        }
    }

    @Test(
        "with status 204 or 304, or to HEAD, has no body to wait for",
        arguments: [
            (HTTPMethod.POST, 204), (.POST, 304), (.HEAD, 200),
        ]
    )
    func bodiless(method: HTTPMethod, status: Int) async throws {
        let head = "HTTP/1.1 \(status) X\r\n" + (method == .HEAD ? "Content-Length: 5\r\n" : "") + "\r\n"
        try await ScriptedServer.run { _ in
            [.send(head), .hang]
        } _: { server in
            let response = try await client(server).request(method, "/x", timeout: ample, limit: 0)
            #expect(response.status == status)
            #expect(response.body.isEmpty)
        }
    }

    @Test("goes over the wire in exactly these bytes")
    func golden() async throws {
        try await ScriptedServer.run { _ in
            [.answer(200)]
        } _: { server in
            _ = try await client(server).request(
                .POST,
                "/v1/x?y=%20",
                headers: ["Content-Type": "text/plain", "Connection": "keep-alive"],
                body: Array("hällo".utf8),
                timeout: ample,
                limit: 0
            )
            _ = try await client(server).request(.GET, "/", timeout: ample, limit: 0)
            _ = try await client(server).request(.POST, "/", timeout: ample, limit: 0)
            #expect(
                server.requests.map(\.text) == [
                    "POST /v1/x?y=%20 HTTP/1.1\r\nContent-Type: text/plain\r\nHost: localhost\r\n"
                        + "Connection: close\r\nContent-Length: 6\r\n\r\nhällo",
                    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                    "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                ]
            )
        }
    }

    @Test("carries a body that is larger than the socket's buffer")
    func largeBody() async throws {
        let body = String(repeating: "0123456789abcdef", count: 1 << 16)
        try await ScriptedServer.run {
            [.answer(200, "\($0.body.utf8.count)")]
        } _: { server in
            let response = try await client(server)
                .request(.POST, "/", body: Array(body.utf8), timeout: ample, limit: 100)
            #expect(String(decoding: response.body, as: UTF8.self) == "1048576")
        }
    }

    static let unsendable: [(String, HTTPHeaders)] = [
        ("", [:]), ("x", [:]), ("/a b", [:]), ("/a\r\nX: y", [:]), ("/ä", [:]), ("/a\u{0}", [:]),
        ("/", ["X": "a\r\nY: b"]), ("/", ["X Y": "a"]),
    ]

    @Test("that would break the framing is not sent", arguments: unsendable)
    func injection(target: String, headers: HTTPHeaders) async throws {
        try await ScriptedServer.run { _ in
            [.answer(200)]
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server).request(.GET, target, headers: headers, timeout: ample, limit: 100)
            }
            guard case .invalidRequest = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            #expect(server.requests.isEmpty)
        }
    }

    // MARK: Failures

    @Test("says which socket is missing")
    func noSocket() async throws {
        let client = UnixHTTPClient(path: "/nonexistent/s.sock", loop: MultiThreadedEventLoopGroup.singleton.next())
        let error = await #expect(throws: UnixHTTPError.self) {
            try await client.request(.GET, "/", timeout: ample, limit: 0)
        }
        #expect(error?.reason == .connectFailed(ENOENT))
        #expect(error?.description == "cannot connect to /nonexistent/s.sock: No such file or directory")
    }

    @Test("finds nobody behind a socket that was left over, and does not believe in a path of 200 bytes")
    func nobodyListens() async throws {
        let path = "/tmp/unix-http-\(getpid()).sock"
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let address = try SocketAddress(unixDomainSocketPath: path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(descriptor)
            unlink(path)
        }
        #expect(address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0)
        let refused = await reason { () throws(UnixHTTPError) in
            try await UnixHTTPClient(path: path, loop: loop).request(.GET, "/", timeout: ample, limit: 0)
        }
        #expect(refused == .connectFailed(ECONNREFUSED))
        let long = await reason { () throws(UnixHTTPError) in
            try await UnixHTTPClient(path: "/" + String(repeating: "x", count: 200), loop: loop)
                .request(.GET, "/", timeout: ample, limit: 0)
        }
        #expect(long == .connectFailed(ENAMETOOLONG))
    }

    @Test(
        "fails with `closed`, wherever the server cuts its answer",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ]
    )
    func cut(answer: String) async throws {
        let head = answer.utf8.count - answer.split(separator: "\r\n\r\n", maxSplits: 1)[1].utf8.count
        for length in 0..<answer.utf8.count {
            try await ScriptedServer.run { _ in
                [.send(String(answer.prefix(utf8: length)))]
            } _: { server in
                let reason = await reason { () throws(UnixHTTPError) in
                    try await client(server).request(.GET, "/", timeout: ample, limit: 100)
                }
                #expect(reason == .closed(answerBegun: length >= head), "after \(length) bytes")
            }
        }
    }

    @Test(
        "fails with `malformedAnswer` on what is not HTTP",
        arguments: [
            "220 mail.example.org ESMTP\r\n", "\u{0}\u{1}\u{2}\u{3}", "HTTP/1.1 abc X\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ]
    )
    func garbage(answer: String) async throws {
        try await ScriptedServer.run { _ in
            [.send(answer), .hang]
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server).request(.GET, "/", timeout: ample, limit: 100)
            }
            guard case .malformedAnswer = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            try await server.clientClosed()
        }
    }

    @Test("fails with `malformedAnswer` on a head without measure")
    func hugeHead() async throws {
        let lines = (0..<200).map { "X-\($0): " + String(repeating: "x", count: 1 << 10) }
        try await ScriptedServer.run { _ in
            [.answer(200, headers: lines), .hang]
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server).request(.GET, "/", timeout: ample, limit: 100)
            }
            guard case .malformedAnswer = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
        }
    }

    @Test("takes a body of exactly the limit and not one byte more", arguments: [(10, true), (11, false)])
    func limit(size: Int, fits: Bool) async throws {
        let body = String(repeating: "x", count: size)
        try await ScriptedServer.run { _ in
            [.chunkedHead(200), .chunk(body), .lastChunk]
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server).request(.GET, "/", timeout: ample, limit: 10)
            }
            #expect(reason == (fits ? nil : .answerTooLarge(limit: 10)))
        }
    }

    @Test(
        "times out without an answer, and with half of one",
        arguments: [
            [ScriptedServer.Step.hang],
            [.send("HTTP/1.1 200 OK\r\n"), .hang],
            [.chunkedHead(200), .chunk("half"), .hang],
        ]
    )
    func timeout(steps: [ScriptedServer.Step]) async throws {
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let reason = await reason { () throws(UnixHTTPError) in
                try await client(server).request(.GET, "/", timeout: .milliseconds(100), limit: 100)
            }
            #expect(reason == .timedOut(.milliseconds(100)))
            try await server.clientClosed()
        }
    }

    // MARK: Tasks

    @Test(
        "that is cancelled closes its connection",
        arguments: [
            [ScriptedServer.Step.hang], [.chunkedHead(200), .chunk("half"), .hang],
        ]
    )
    func cancellation(steps: [ScriptedServer.Step]) async throws {
        try await ScriptedServer.run { _ in
            steps
        } _: { server in
            let task = Task {
                await reason { () throws(UnixHTTPError) in
                    try await client(server).request(.GET, "/", timeout: ample, limit: 100)
                }
            }
            while server.requests.isEmpty { await Task.yield() }
            task.cancel()
            #expect(await task.value == .cancelled)
            try await server.clientClosed()
        }
    }

    @Test("of a task that is cancelled already is not sent", arguments: [false, true])
    func cancelledBefore(onLoop: Bool) async throws {
        try await ScriptedServer.run { _ in
            [.hang]
        } _: { server in
            let client = client(server)
            let task = Task(executorPreference: onLoop ? Preference(client.loop) : nil) {
                withUnsafeCurrentTask { $0?.cancel() }
                return await reason { () throws(UnixHTTPError) in
                    try await client.request(.GET, "/", timeout: ample, limit: 100)
                }
            }
            #expect(await task.value == .cancelled)
            #expect(server.requests.isEmpty)
        }
    }

    @Test("leaves a task on the event loop where it is")
    func staysOnLoop() async throws {
        try await ScriptedServer.run { _ in
            [.answer(200)]
        } _: { server in
            let client = client(server)
            let isThere = Task(executorPreference: Preference(client.loop)) {
                let before = client.loop.inEventLoop
                _ = try await client.request(.GET, "/", timeout: ample, limit: 0)
                return [before, client.loop.inEventLoop]
            }
            let places = try await isThere.value
            #expect(places == [true, true])
        }
    }
}

/// The event loop as a task's preferred executor.
final class Preference: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension String {
    fileprivate func prefix(utf8 count: Int) -> String { String(decoding: utf8.prefix(count), as: UTF8.self) }
}
