import SupervisorCore
import Testing

@testable import SupervisorHTTP

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    private static let auth = "Host: d\r\nAuthorization: Bearer \(FakeDevice.key)\r\n"

    private func request(_ line: String, _ fields: String = "", version: String = "1.1") -> String {
        "\(line) HTTP/\(version)\r\n\(Self.auth)\(fields)\r\n"
    }

    @Test("One connection carries many requests")
    func keepAlive() async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            for _ in 0..<20 {
                try client.send(request("GET /ping"))
                let reply = try client.reply()
                #expect(reply.status == 200)
                #expect(reply.headers["connection"] == nil)
            }
        }
    }

    @Test("Requests sent ahead are answered in their order, slow ones too")
    func pipelining() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            let client = try server.connect()
            let body = #"{"appId":1}"#
            try client.send(
                request("GET /ping", "X-Request-Id: a\r\n")
                    + request("POST /v1/restart", "X-Request-Id: b\r\nContent-Length: \(body.utf8.count)\r\n") + body
                    + request("GET /v1/nowhere", "X-Request-Id: c\r\n")
                    + request("GET /v1/device", "X-Request-Id: d\r\n")
                    + request("GET /ping", "X-Request-Id: e\r\nConnection: close\r\n")
            )
            #expect(try client.reply().headers["x-request-id"] == "a")
            await server.device.reached(1)
            #expect(await server.device.calls == ["restart 1 false"])
            await server.device.release()
            let replies = try (0..<4).map { _ in try client.reply() }
            #expect(replies.map { $0.headers["x-request-id"] } == ["b", "c", "d", "e"])
            #expect(replies.map(\.status) == [200, 404, 200, 200])
            #expect(client.isClosed())
        }
    }

    @Test("Thousands of requests sent ahead are all answered")
    func manyAhead() async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            let count = 3000
            let requests = String(repeating: "GET /v1/healthy HTTP/1.1\r\n\r\n", count: count)
            // The kernel's buffers have room for all of them.
            try client.send(requests)
            for _ in 0..<count { #expect(try client.reply().status == 200) }
        }
    }

    @Test("A broken request behind a good one does not cost the good one its answer")
    func brokenAhead() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            let client = try server.connect()
            try client.send(request("GET /v1/device") + "rubbish\r\n\r\n")
            await server.device.reached(1)
            await server.device.release()
            #expect(try client.reply().status == 200)
            #expect(try client.reply().status == 400)
            #expect(client.isClosed())
        }
    }

    @Test(
        "A connection ends with the answer where the client says so, and in HTTP/1.0 always",
        arguments: [
            ("1.1", "Connection: close\r\n"), ("1.1", "Connection: Close\r\n"), ("1.0", ""),
            ("1.0", "Connection: keep-alive\r\n"),
        ]
    )
    func closing(_ version: String, _ fields: String) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            try client.send(request("GET /ping", fields, version: version))
            let answer = try client.rest()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("Connection: close\r\n\r\nOK"))
        }
    }

    @Test("A client that waits for 100 gets it once the head is accepted, and then its answer")
    func expect100() async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            let body = #"{"force":true}"#
            try client.send(
                request("POST /v1/update", "Content-Length: \(body.utf8.count)\r\nExpect: 100-Continue\r\n")
            )
            #expect(try client.reply().raw == "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send(body)
            #expect(try client.reply().status == 204)
            #expect(await server.device.calls == ["update true"])
            try client.send(request("POST /v1/update", "Content-Length: 102401\r\nExpect: 100-continue\r\n"))
            #expect(try client.reply().status == 413)
            #expect(client.isClosed())
        }
    }

    @Test("A request that comes byte by byte is understood")
    func byteByByte() async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            let body = #"{"appId":"12"}"#
            let text = request("POST /v1/purge", "Content-Length: \(body.utf8.count)\r\n") + body
            for byte in text.utf8 { try client.send([byte]) }
            #expect(try client.reply().status == 200)
            let chunks = body.utf8.map { "1\r\n\(Character(Unicode.Scalar($0)))\r\n" }.joined() + "0\r\n\r\n"
            for byte in (request("POST /v1/purge", "Transfer-Encoding: chunked\r\n") + chunks).utf8 {
                try client.send([byte])
            }
            #expect(try client.reply().status == 200)
            #expect(await server.device.calls == ["purge 12 false", "purge 12 false"])
        }
    }

    @Test("Head and body of an answer leave in one write")
    func oneWrite() async throws {
        try await TestServer.run { server async throws in
            await server.device.pad(20_000)
            let client = try server.connect()
            try client.send(request("GET /v1/device"))
            let first = try client.receive(upTo: 1 << 16)
            let text = String(decoding: first, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 200 OK"))
            #expect(text.hasSuffix("xx\"}"))
        }
    }

    @Test("A client that has closed its side still gets its answer")
    func halfClosed() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            let client = try server.connect()
            try client.send(request("POST /v1/apps/1/stop"))
            client.finishSending()
            await server.device.reached(1)
            await server.device.release()
            let answer = try client.rest()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix(#"{"containerId":"\#(FakeDevice.container)"}"#))
        }
    }

    @Test(
        "Large requests are answered whole and in order, also after the client has closed its side",
        arguments: [1, 3]
    )
    func large(count: Int) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            let body = "{\"appId\":1,\"x\":\"" + String(repeating: "x", count: 60_000) + "\"}"
            let one = request("POST /v1/restart", "Content-Length: \(body.utf8.count)\r\n") + body
            for _ in 0..<count {
                try client.send(one)
                #expect(try client.reply().status == 200)
            }
            try client.send(one)
            client.finishSending()
            #expect(try client.rest().hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(await server.device.calls.count == count + 1)
        }
    }

    @Test("What a client has begun goes on when the client leaves")
    func clientLeaves() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            do {
                let client = try server.connect()
                try client.send(request("POST /v1/apps/1/stop"))
                await server.device.reached(1)
            }
            #expect(try server.isWell())
            await server.device.release()
            // The operation that was left behind did not take its place for ever.
            #expect(try server.ask("POST", "/v1/apps/1/start").status == 200)
            #expect(await server.device.calls == ["stop 1 false", "start 1"])
        }
    }

    @Test("A slow operation holds up nobody else")
    func slow() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            let slow = try server.connect()
            try slow.send(request("POST /v1/apps/1/stop"))
            await server.device.reached(1)
            for _ in 0..<5 { #expect(try server.isWell()) }
            await server.device.release()
            #expect(try slow.reply().status == 200)
        }
    }
}
