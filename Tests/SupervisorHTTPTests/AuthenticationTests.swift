import NIOCore
import Testing

@testable import SupervisorHTTP

@Suite(.timeLimit(.minutes(1))) struct AuthenticationTests {
    private static let key = FakeDevice.key
    private static let encodedKey = "%30" + key.dropFirst()

    static let attempts: [(target: String, authorization: [String], status: Int)] = [
        ("/ping?apikey=\(key)", [], 200),
        ("/ping?a=b&apikey=\(key)&c", [], 200),
        ("/ping?&&apikey=\(key)&", [], 200),
        ("/ping?apikey=\(encodedKey)", [], 200),
        ("/ping?%61pikey=\(key)", [], 200),
        ("http://device:48484/ping?apikey=\(key)", [], 200),
        ("/ping", ["Bearer \(key)"], 200),
        ("/ping", ["bearer \(key)"], 200),
        ("/ping", ["APIKEY \(key)"], 200),
        ("/ping", ["ApiKey   \(key)"], 200),
        ("/ping?apikey=wrong", ["Bearer \(key)"], 200),
        ("/ping?apikey=\(key)", ["Bearer wrong"], 200),
        ("/ping", [], 401),
        ("/ping?", [], 401),
        ("/ping?apikey", [], 401),
        ("/ping?apikey=", [], 401),
        ("/ping?apikey=wrong", [], 401),
        ("/ping?apikey=\(key)0", [], 401),
        ("/ping?apikey=%\(key)", [], 401),
        ("/ping?APIKEY=\(key)", [], 401),
        ("/ping?apikey[]=\(key)", [], 401),
        ("/ping?apikey=\(key)&apikey=\(key)", [], 401),
        ("/ping?apikey=\(key)&%61pikey=\(key)", [], 401),
        ("/ping?apikey=\(key)&apikey=\(key)", ["Bearer \(key)"], 401),
        ("/ping#?apikey=\(key)", [], 404),
        ("/ping", [key], 401),
        ("/ping", ["Basic \(key)"], 401),
        ("/ping", ["Bearer"], 401),
        ("/ping", ["Bearer \(key) x"], 401),
        ("/ping", ["Bearer \(key)", "Bearer \(key)"], 401),
        ("/v1/nowhere", [], 401),
        ("/v1/healthy", [], 200),
        ("/v1/healthy/", [], 200),
        ("//V1/Healthy?apikey=wrong", [], 200),
        ("/v1/healthy/x", [], 401),
    ]

    @Test("The key is taken where the API has it and nowhere else", arguments: attempts)
    func attempt(target: String, authorization: [String], status: Int) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            let lines = ["GET \(target) HTTP/1.1", "Host: d"] + authorization.map { "Authorization: \($0)" }
            try client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
            let reply = try client.reply()
            #expect(reply.status == status)
            if status == 401 {
                #expect(reply.body == "Unauthorized")
                #expect(reply.headers["content-type"] == "text/plain; charset=utf-8")
                #expect(reply.headers["connection"] == "close")
                #expect(client.isClosed())
            }
        }
    }

    @Test(
        "Without the key nothing is looked at: not the path, the method, the body or what is expected",
        arguments: [
            "POST /v1/healthy HTTP/1.1\r\nHost: d\r\n\r\n",
            "DELETE /ping HTTP/1.1\r\nHost: d\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: d\r\n\r\n",
            "POST /v1/update HTTP/1.1\r\nHost: d\r\nContent-Length: 100000000\r\n\r\n",
            "POST /v1/update HTTP/1.1\r\nHost: d\r\nContent-Length: 10\r\n\r\n",
            "POST /v1/update HTTP/1.1\r\nHost: d\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
            "POST /v1/update HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nExpect: a-pony\r\n\r\n",
            "POST /v1/update HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n\r\n",
            "POST /v1/update HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]
    )
    func first(_ request: String) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            try client.send(request)
            let answer = try client.rest()
            #expect(answer.hasPrefix("HTTP/1.1 401 Unauthorized\r\n"))
            #expect(answer.hasSuffix("Connection: close\r\n\r\nUnauthorized"))
            #expect(await server.device.calls.isEmpty)
        }
    }

    @Test("Pings need no key where the configuration says so, and it can be changed")
    func ping() async throws {
        let settings = HTTPServerSettings(port: 0, interfaces: ["*"], pingRequiresKey: false)
        try await TestServer.run(settings: settings) { server async throws in
            #expect(try server.ask("GET", "/ping", key: nil).status == 200)
            #expect(try server.ask("HEAD", "//Ping/", key: nil).status == 200)
            #expect(try server.ask("POST", "/ping", key: nil).status == 401)
            #expect(try server.ask("GET", "/v1/device", key: nil).status == 401)
            try await TestServer.onLoop {
                server.server.value.apply(HTTPServerSettings(port: 0, interfaces: ["*"], pingRequiresKey: true))
            }
            #expect(try server.ask("GET", "/ping", key: nil).status == 401)
        }
    }
}
