import SupervisorCore
import Testing

@testable import SupervisorHTTP

private let container = FakeDevice.container

/// What the wire has, byte for byte.
@Suite(.timeLimit(.minutes(1))) struct AnswerTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var request: String
        var body: String?
        var failure: SupervisorError?
        /// Status line and the fields that depend on the answer.
        var head: String
        var answer: String
        var call: String?

        var testDescription: String { "\(request) \(failure?.message ?? "")" }

        init(
            _ request: String,
            body: String? = nil,
            failure: SupervisorError? = nil,
            _ head: String,
            _ answer: String = "",
            call: String? = nil
        ) {
            self.request = request
            self.body = body
            self.failure = failure
            self.head = head
            self.answer = answer
            self.call = call
        }
    }

    private static let text = "\r\nContent-Type: text/plain; charset=utf-8"
    private static let json = "\r\nContent-Type: application/json; charset=utf-8"
    private static let locked = SupervisorError(.locked, "Updates are locked: /tmp/updates.lock")
    private static let unknown = SupervisorError(.notFound, "No application 1")
    private static let away = SupervisorError(.unavailable, "The engine is away")
    private static let lacking = SupervisorError(.notSupported, "No plugin for it")
    private static let slow = SupervisorError(.timeout, "Too slow")
    private static let refused = SupervisorError(.failed, "Not allowed")

    static let successes = [
        Example("GET /ping", "200 OK\(text)", "OK"),
        Example("POST /v1/update", "204 No Content", call: "update false"),
        Example("POST /v1/update", body: #"{"force":true}"#, "204 No Content", call: "update true"),
        Example(
            "POST /v1/purge",
            body: #"{"appId":1}"#,
            "200 OK\(json)",
            #"{"Data":"OK","Error":""}"#,
            call: "purge 1 false"
        ),
        Example("POST /v1/restart", body: #"{"appId":1,"force":true}"#, "200 OK\(text)", "OK", call: "restart 1 true"),
        Example("POST /v1/regenerate-api-key", "200 OK\(text)", FakeDevice.newKey, call: "regenerate"),
        Example("GET /v1/device", "200 OK\(json)", #"{"api_port":48484,"commit":null}"#, call: "device"),
        Example(
            "GET /v1/apps/2167",
            "200 OK\(json)",
            #"{"appId":2167,"commit":"abc","env":{"FOO":"bar"}}"#,
            call: "application 2167"
        ),
        Example("POST /v1/apps/1/stop", "200 OK\(json)", #"{"containerId":"\#(container)"}"#, call: "stop 1 false"),
        Example(
            "POST /v1/apps/1/stop",
            body: #"{"force":"on"}"#,
            "200 OK\(json)",
            #"{"containerId":"\#(container)"}"#,
            call: "stop 1 true"
        ),
        Example("POST /v1/apps/1/start", "200 OK\(json)", #"{"containerId":"\#(container)"}"#, call: "start 1"),
        Example("GET /v1/healthy", "200 OK"),
        Example("POST /v1/blink", "200 OK", call: "blink t"),
        Example("POST /v1/reboot", "202 Accepted\(json)", #"{"Data":"OK","Error":""}"#, call: "reboot false t"),
        Example(
            "POST /v1/reboot",
            body: #"{"force":1}"#,
            "202 Accepted\(json)",
            #"{"Data":"OK","Error":""}"#,
            call: "reboot true t"
        ),
        Example(
            "POST /v1/shutdown",
            body: #"{"force":"true"}"#,
            "202 Accepted\(json)",
            #"{"Data":"OK","Error":""}"#,
            call: "power-off true t"
        ),
        Example("POST /v1/tcp-ping", "204 No Content", call: "tcp-ping true t"),
        Example("DELETE /v1/tcp-ping", "204 No Content", call: "tcp-ping false t"),
        Example(
            "GET /v1/device/host-config",
            "200 OK\(json)",
            #"{"network":{"proxy":null,"hostname":"box"}}"#,
            call: "host-config t"
        ),
        Example(
            "PATCH /v1/device/host-config",
            body: #"{"network":{"hostname":"x","proxy":{"port":80}}}"#,
            "200 OK\(text)",
            "OK",
            call: #"host-config t {"network":{"hostname":"x","proxy":{"port":80}}}"#
        ),
    ]

    static let failures = [
        Example("POST /v1/purge", "400 Bad Request\(json)", #"{"Data":"","Error":"The body has no appId"}"#),
        Example(
            "POST /v1/purge",
            body: "[]",
            "400 Bad Request\(json)",
            #"{"Data":"","Error":"The body is not a JSON object"}"#
        ),
        Example(
            "POST /v1/purge",
            body: #"{"appId":1}"#,
            failure: unknown,
            "404 Not Found\(json)",
            #"{"Data":"","Error":"No application 1"}"#
        ),
        Example(
            "POST /v1/purge",
            body: #"{"appId":1}"#,
            failure: locked,
            "423 Locked\(json)",
            #"{"Data":"","Error":"Updates are locked: /tmp/updates.lock"}"#
        ),
        Example(
            "POST /v1/purge",
            body: #"{"appId":1}"#,
            failure: SupervisorError(.failed, "It says \"no\"\n(again)"),
            "500 Internal Server Error\(json)",
            #"{"Data":"","Error":"It says 'no' again"}"#
        ),
        Example("POST /v1/restart", "400 Bad Request\(text)", "The body has no appId"),
        Example(
            "POST /v1/restart",
            body: #"{"appId":1}"#,
            failure: unknown,
            "404 Not Found\(text)",
            "No application 1"
        ),
        Example(
            "POST /v1/restart",
            body: #"{"appId":1}"#,
            failure: locked,
            "423 Locked\(text)",
            "Updates are locked: /tmp/updates.lock"
        ),
        Example(
            "POST /v1/restart",
            body: #"{"appId":1}"#,
            failure: away,
            "503 Service Unavailable\(text)",
            "The engine is away"
        ),
        Example("POST /v1/regenerate-api-key", failure: away, "503 Service Unavailable\(text)", "The engine is away"),
        Example("GET /v1/apps/x", "400 Bad Request\(text)", "The appId in the path is not a number"),
        Example("GET /v1/apps/1", failure: unknown, "404 Not Found\(text)", "No application 1"),
        Example("POST /v1/apps/1a/stop", "400 Bad Request\(text)", "The appId in the path is not a number"),
        Example(
            "POST /v1/apps/1/stop",
            body: "{",
            "400 Bad Request\(text)",
            "The body is not JSON: line 1, column 2: the input ends where a member's name in quotes was expected"
        ),
        Example("POST /v1/apps/1/stop", failure: locked, "423 Locked\(text)", "Updates are locked: /tmp/updates.lock"),
        Example("POST /v1/apps/1/start", failure: unknown, "404 Not Found\(text)", "No application 1"),
        Example(
            "POST /v1/apps/1/start",
            failure: SupervisorError(.timeout, "Too slow"),
            "504 Gateway Timeout\(text)",
            "Too slow"
        ),
        Example("POST /v1/blink", failure: lacking, "501 Not Implemented\(text)", "No plugin for it"),
        Example("POST /v1/blink", failure: slow, "504 Gateway Timeout\(text)", "Too slow"),
        Example("POST /v1/blink", failure: refused, "500 Internal Server Error\(text)", "Not allowed"),
        Example(
            "POST /v1/reboot",
            failure: lacking,
            "501 Not Implemented\(json)",
            #"{"Data":"","Error":"No plugin for it"}"#
        ),
        Example(
            "POST /v1/reboot",
            failure: locked,
            "423 Locked\(json)",
            #"{"Data":"","Error":"Updates are locked: /tmp/updates.lock"}"#
        ),
        Example(
            "POST /v1/reboot",
            failure: refused,
            "500 Internal Server Error\(json)",
            #"{"Data":"","Error":"Not allowed"}"#
        ),
        Example(
            "POST /v1/shutdown",
            failure: away,
            "503 Service Unavailable\(json)",
            #"{"Data":"","Error":"The engine is away"}"#
        ),
        Example(
            "POST /v1/shutdown",
            body: "[",
            "400 Bad Request\(json)",
            #"{"Data":"","Error":"The body is not JSON: line 1, column 2: the input ends where a value was expected"}"#
        ),
        Example("POST /v1/tcp-ping", failure: lacking, "501 Not Implemented\(text)", "No plugin for it"),
        Example("DELETE /v1/tcp-ping", failure: slow, "504 Gateway Timeout\(text)", "Too slow"),
        Example("GET /v1/device/host-config", failure: away, "503 Service Unavailable\(text)", "The engine is away"),
        Example(
            "PATCH /v1/device/host-config",
            body: "{}",
            failure: SupervisorError(.invalidArgument, "network.proxy.noProxy[1] is wrong, allowed: \"a\" (b)"),
            "400 Bad Request\(text)",
            "network.proxy.noProxy 1 is wrong, allowed: 'a' b"
        ),
        Example("PATCH /v1/device/host-config", body: "[]", "400 Bad Request\(text)", "The body is not a JSON object"),
        Example("GET /control/plugins", "404 Not Found\(text)", "Not found"),
        Example("POST /control/call", "404 Not Found\(text)", "Not found"),
        Example("GET /v1/nowhere", "404 Not Found\(text)", "Not found"),
        Example("GET /control/key", "404 Not Found\(text)", "Not found"),
    ]

    @Test("An endpoint answers with exactly these bytes", arguments: successes + failures)
    func answer(_ example: Example) async throws {
        try await TestServer.run { server async throws in
            await server.device.fail(example.failure)
            let parts = example.request.split(separator: " ").map(String.init)
            let reply = try server.ask(parts[0], parts[1], headers: ["X-Request-Id: t"], body: example.body)
            let length = example.head.hasPrefix("204") ? "" : "\r\nContent-Length: \(example.answer.utf8.count)"
            let common = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Request-Id: t\r\n\r\n"
            #expect(reply.raw == "HTTP/1.1 \(example.head)\(length)\(common)\(example.answer)")
            if let call = example.call { #expect(await server.device.calls == [call]) }
        }
    }

    @Test("A busy core is told with Retry-After")
    func busy() async throws {
        try await TestServer.run { server async throws in
            await server.device.fail(SupervisorError(.busy, "Later", retryAfter: 7))
            let reply = try server.ask("POST", "/v1/apps/1/start")
            #expect(reply.status == 503)
            #expect(reply.headers["retry-after"] == "7")
            await server.device.fail(SupervisorError(.busy, "Later"))
            #expect(try server.ask("POST", "/v1/apps/1/start").headers["retry-after"] == "1")
        }
    }

    @Test("A board without a LED is a success with a header")
    func noLED() async throws {
        try await TestServer.run { server async throws in
            await server.device.takeLED()
            let reply = try server.ask("POST", "/v1/blink")
            #expect(reply.status == 200)
            #expect(reply.body == "")
            #expect(reply.headers["x-supervisor-led"] == "none")
        }
    }

    @Test("An unhealthy device says in one line what is wrong, to anybody")
    func unhealthy() async throws {
        try await TestServer.run { server async throws in
            await server.device.ail("engine: away\nfor 31 s")
            let reply = try server.ask("GET", "/v1/healthy", key: nil)
            #expect(reply.status == 500)
            #expect(reply.body == "engine: away for 31 s")
        }
    }

    @Test("The former key is dead for the request after the one that replaced it")
    func regenerate() async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            let request = { (line: String, key: String) in "\(line)?apikey=\(key) HTTP/1.1\r\nHost: d\r\n\r\n" }
            try client.send(
                request("POST /v1/regenerate-api-key", FakeDevice.key) + request("GET /ping", FakeDevice.key)
            )
            #expect(try client.reply().body == FakeDevice.newKey)
            #expect(try client.reply().status == 401)
            #expect(try server.ask("GET", "/ping", key: FakeDevice.newKey).status == 200)
        }
    }

    @Test(
        "HEAD has the head of a GET and nothing after it",
        arguments: ["/ping", "/v1/device", "/v1/healthy", "/v1/apps/1"]
    )
    func head(_ path: String) async throws {
        try await TestServer.run { server async throws in
            let get = try server.ask("GET", path, headers: ["X-Request-Id: t", "Connection: close"])
            let client = try server.connect()
            try client.send(
                "HEAD \(path)?apikey=\(FakeDevice.key) HTTP/1.1\r\nHost: d\r\nX-Request-Id: t\r\nConnection: close\r\n\r\n"
            )
            #expect(try client.rest() == get.raw.dropLast(get.body.count))
        }
    }

    @Test(
        "A known path says which methods it takes",
        arguments: [
            ("DELETE", "/ping", 405, "GET, HEAD, OPTIONS"),
            ("GET", "/v1/update", 405, "POST, OPTIONS"),
            ("HEAD", "/v1/update", 405, "POST, OPTIONS"),
            ("PUT", "/v1/tcp-ping", 405, "POST, DELETE, OPTIONS"),
            ("POST", "/v1/device/host-config", 405, "GET, HEAD, PATCH, OPTIONS"),
            ("POST", "/v1/apps/1", 405, "GET, HEAD, OPTIONS"),
            ("OPTIONS", "/v1/apps/1/stop", 204, "POST, OPTIONS"),
            ("OPTIONS", "/v1/device", 204, "GET, HEAD, OPTIONS"),
        ]
    )
    func methods(_ method: String, _ path: String, _ status: Int, _ allow: String) async throws {
        try await TestServer.run { server async throws in
            let reply = try server.ask(method, path)
            #expect(reply.status == status)
            #expect(reply.headers["allow"] == allow)
            #expect(reply.headers["connection"] == nil)
        }
    }

    @Test(
        "A request id comes back where it is fit, and one is made where it is not",
        arguments: [
            ("a-B_9.z", true), (String(repeating: "x", count: 128), true), (String(repeating: "x", count: 129), false),
            ("two words", false), ("semi;colon", false), ("", false),
        ]
    )
    func requestID(_ id: String, _ isKept: Bool) async throws {
        try await TestServer.run { server async throws in
            let answered = try #require(
                try server.ask("GET", "/ping", headers: ["X-Request-Id: \(id)"]).headers["x-request-id"]
            )
            #expect((answered == id) == isKept)
            #expect(RequestIDs.isValid(answered))
        }
    }
}
