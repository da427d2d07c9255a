import Glibc
import NIOCore
import SupervisorCore
import Testing

@testable import SupervisorHTTP

@Suite(.timeLimit(.minutes(1))) struct ControlSocketTests {
    private let path = "/tmp/supervisor-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"

    private func ask(_ line: String, _ client: Client? = nil) throws -> Reply {
        let client = try client ?? Client(path: path)
        try client.send("\(line) HTTP/1.1\r\n\r\n")
        return try client.reply()
    }

    @Test(
        "The control socket needs no key and serves the API and more",
        arguments: [
            ("GET /ping", 200, "OK"), ("GET /v1/device", 200, #"{"api_port":48484,"commit":null}"#),
            ("POST /v1/apps/1/stop", 200, #"{"containerId":"\#(FakeDevice.container)"}"#),
            ("GET /control/status", 200, #"{"health":{"healthy":true}}"#),
            ("GET /control/locks", 200, #"[{"appId":1}]"#),
            ("GET /control/locks?wait=1", 200, "[]"), ("GET /control/locks?wait=0", 200, #"[{"appId":1}]"#),
            ("GET /control/key", 200, FakeDevice.key), ("POST /control/reload", 200, "OK"),
            ("GET /control/reload", 405, "Method not allowed"), ("GET /control/other", 404, "Not found"),
            ("GET /control/plugins", 200, #"[{"name":"led"}]"#),
            ("GET /control/config", 200, #"[{"key":"Port"}]"#),
            ("GET /control/volumes", 200, #"[{"name":"1_data"}]"#),
            ("GET /control/events?since=x", 400, "since in the query is not a number from 0 to 9223372036854775807"),
            ("GET /control/events?since=-1", 400, "since in the query is not a number from 0 to 9223372036854775807"),
            ("GET /control/logs", 400, "The query names no application: app=NUMBER"),
            ("GET /control/logs?app=1&tail=", 400, "tail in the query is not a number from 0 to 1000000"),
            ("GET /control/logs?app=1&service=%zz", 400, "service in the query is not well encoded"),
            ("POST /control/events", 405, "Method not allowed"),
            ("POST /control/call", 400, "The body names no operation"),
        ]
    )
    func routes(_ line: String, _ status: Int, _ body: String) async throws {
        try await TestServer.run(control: path) { _ async throws in
            let reply = try ask(line)
            #expect(reply.status == status)
            #expect(reply.body == body)
        }
    }

    @Test("A reload that fails says why with every character")
    func reload() async throws {
        try await TestServer.run(control: path) { server async throws in
            await server.device.fail(SupervisorError(.invalidArgument, "/etc/x_y.conf:3: [API] Port=a \"b\""))
            let reply = try ask("POST /control/reload")
            #expect(reply.status == 400)
            #expect(reply.body == "/etc/x_y.conf:3: [API] Port=a \"b\"")
        }
    }

    @Test(
        "An operation is driven with what the body says",
        arguments: [
            (#"{"operation":"led.blink"}"#, 200, #"{"result":{}}"#, ["call led.blink {} false"]),
            (
                #"{"operation":"led.blink","parameters":{"durationMs":5},"record":true}"#, 200, #"{"result":{}}"#,
                [#"call led.blink {"durationMs":5} true"#]
            ),
            (#"{"operation":""}"#, 400, "The body names no operation", []),
            (#"{"operation":1}"#, 400, "The body names no operation", []),
            (#"{"operation":"a","parameters":[]}"#, 400, "The body's parameters are not an object", []),
            (#"{"operation":"a","record":1}"#, 400, "The body's record is neither true nor false", []),
        ]
    )
    func call(_ body: String, _ status: Int, _ answer: String, _ calls: [String]) async throws {
        try await TestServer.run(control: path) { server async throws in
            let client = try Client(path: path)
            try client.send("POST /control/call HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            let reply = try client.reply()
            #expect(reply.status == status)
            #expect(reply.body == answer)
            #expect(await server.device.calls == calls)
        }
    }

    @Test("Waiting for the locks lasts until they are gone, and ends when the client leaves or the server stops")
    func wait() async throws {
        try await TestServer.run(control: path) { server async throws in
            await server.device.hold()
            let waiting = try Client(path: path)
            try waiting.send("GET /control/locks?wait=1 HTTP/1.1\r\n\r\n")
            await server.device.reached(1)
            await server.device.release()
            #expect(try waiting.reply().body == "[]")

            await server.device.hold()
            do {
                let leaving = try Client(path: path)
                try leaving.send("GET /control/locks?wait=1 HTTP/1.1\r\n\r\n")
                await server.device.reached(2)
            }
            await server.device.reached(3)
            #expect(await server.device.calls == ["wait", "wait", "wait cancelled"])

            let stopped = try Client(path: path)
            try stopped.send("GET /control/locks?wait=1 HTTP/1.1\r\n\r\n")
            await server.device.reached(4)
            try await TestServer.onLoop { await server.server.value.drain(timeout: .seconds(5)) }
            #expect(try stopped.reply().status == 503)
        }
    }

    /// Why no socket can be made there; nil where one can.
    private func failure(_ path: String) -> String? {
        do {
            close(try ControlSocket(path: path).descriptor)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("Only the owner and the group may use the socket")
    func mode() async throws {
        try await TestServer.run(control: path) { _ async throws in
            var status = stat()
            #expect(lstat(path, &status) == 0)
            #expect(status.st_mode == S_IFSOCK | 0o660)
            #expect(status.st_uid == geteuid())
        }
        #expect(access(path, F_OK) != 0)
    }

    @Test("A socket that was left behind is replaced")
    func stale() async throws {
        let old = try ControlSocket(path: path)
        close(old.descriptor)
        #expect(access(path, F_OK) == 0)
        try await TestServer.run(control: path) { _ async throws in
            #expect(try ask("GET /ping").status == 200)
            // The old owner, late to clean up, leaves the new socket alone.
            old.unlink()
            #expect(try ask("GET /ping").status == 200)
        }
    }

    @Test("A socket that somebody serves is not taken from him")
    func taken() async throws {
        try await TestServer.run(control: path) { server async throws in
            #expect(failure(path) == "\(path) is served by another process")
            #expect(try ask("GET /ping").status == 200)
        }
    }

    @Test("A file that is no socket, and a path that is none, are refused")
    func refused() throws {
        let file = try #require(fopen(path, "w"))
        fclose(file)
        defer { unlink(path) }
        #expect(failure(path) == "\(path) exists and is not a socket")
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(failure(long) == "\(long) is too long for a unix socket")
        #expect(failure("/nonexistent/x") == "/nonexistent/x cannot be created: No such file or directory")
    }
}
