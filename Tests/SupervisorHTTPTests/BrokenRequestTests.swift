import Testing

@testable import SupervisorHTTP

/// Bytes that are no request of ours, each followed by a proof that the server goes on.
@Suite(.timeLimit(.minutes(1))) struct BrokenRequestTests {
    private static let auth = "Host: d\r\nAuthorization: Bearer \(FakeDevice.key)\r\n"

    static let requests: [(name: String, bytes: String, statuses: [Int])] = [
        ("no HTTP at all", "hello\r\n\r\n", [400]),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}", [400]),
        ("empty lines only, then rubbish", "\r\n\r\n\r\nxyz\r\n", [400]),
        ("HTTP/0.9", "GET /ping\r\n\r\n", [400]),
        ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        ("HTTP/1.9", "GET /ping HTTP/1.9\r\n\(auth)\r\n", [400]),
        ("HTTP/3.0", "GET /ping HTTP/3.0\r\n\(auth)\r\n", [400]),
        ("an unknown method", "BREW /ping HTTP/1.1\r\n\(auth)\r\n", [400]),
        ("a method in lower case", "get /ping HTTP/1.1\r\n\(auth)\r\n", [400]),
        ("a space in the target", "GET /pi ng HTTP/1.1\r\n\(auth)\r\n", [400]),
        ("no target", "GET HTTP/1.1\r\n\(auth)\r\n", [400]),
        ("no slash in the target", "GET ping HTTP/1.1\r\n\(auth)\r\n", [400]),
        ("a field without a colon", "GET /ping HTTP/1.1\r\n\(auth)nonsense\r\n\r\n", [400]),
        ("a field without a name", "GET /ping HTTP/1.1\r\n\(auth): x\r\n\r\n", [400]),
        ("a space before the colon", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length : 0\r\n\r\n", [400]),
        ("a NUL in a field", "GET /ping HTTP/1.1\r\n\(auth)X: a\u{0}b\r\n\r\n", [400]),
        ("a bare CR in a field", "GET /ping HTTP/1.1\r\n\(auth)X: a\rb\r\n\r\n", [400]),
        ("a folded field", "GET /ping HTTP/1.1\r\n\(auth)X: a\r\n b\r\n\r\n", [400]),
        ("a length that is no number", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: x\r\n\r\n", [400]),
        ("a negative length", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: -1\r\n\r\n", [400]),
        (
            "an endless length", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 99999999999999999999999\r\n\r\n",
            [400, 413]
        ),
        ("two lengths", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 0\r\nContent-Length: 5\r\n\r\n", [400]),
        ("a list of lengths", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 0, 0\r\n\r\n", [400]),
        (
            "length and chunks",
            "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]
        ),
        (
            "chunks and length",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", [400]
        ),
        (
            "an encoding after chunked", "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked, gzip\r\n\r\n",
            [400, 501]
        ),
        (
            "an encoding before chunked",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501]
        ),
        (
            "two encodings",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            [400, 501]
        ),
        ("chunks in HTTP/1.0", "POST /v1/update HTTP/1.0\r\n\(auth)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (
            "a size of a chunk that is no number",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\n\r\nzz\r\n", [400]
        ),
        (
            "a chunk longer than it says",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\n\r\n1\r\n{}{}\r\n0\r\n\r\n", [400]
        ),
        (
            "a chunk of 2^64 bytes",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", [400]
        ),
        ("a long target", "GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\(auth)\r\n", [414]),
        ("a target without end", "GET /\(String(repeating: "a", count: 40000))", [414]),
        ("a long field", "GET /ping HTTP/1.1\r\n\(auth)X: \(String(repeating: "a", count: 40000))\r\n\r\n", [431]),
        ("many fields", "GET /ping HTTP/1.1\r\n\(auth)\(String(repeating: "a: b\r\n", count: 100))\r\n", [431]),
        (
            "a long list",
            "GET /ping HTTP/1.1\r\n\(auth)\(String(repeating: "a: \(String(repeating: "b", count: 999))\r\n", count: 40))\r\n",
            [431]
        ),
        ("a long body", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 102401\r\n\r\n", [413]),
        (
            "long chunks",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\n\r\n"
                + String(repeating: "4000\r\n\(String(repeating: " ", count: 0x4000))\r\n", count: 7), [413]
        ),
        ("gzip", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}", [415]),
        (
            "gzip beside identity",
            "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 2\r\nContent-Encoding: identity, gzip\r\n\r\n{}", [415]
        ),
        (
            "a strange expectation", "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 2\r\nExpect: a-pony\r\n\r\n{}",
            [417]
        ),
    ]

    @Test(
        "A broken request is answered with its status, its connection ends, and the server goes on",
        arguments: requests
    )
    func broken(name: String, bytes: String, statuses: [Int]) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            try client.send(bytes)
            let reply = try client.reply()
            #expect(statuses.contains(reply.status), "\(reply.raw)")
            #expect(reply.headers["connection"] == "close")
            #expect(reply.headers["content-type"] == "text/plain; charset=utf-8")
            #expect(client.isClosed())
            #expect(await server.device.calls.isEmpty)
            #expect(try server.isWell())
        }
    }

    @Test(
        "A request that ends half way does nothing, and the server goes on",
        arguments: [
            "", "G", "GET /ping", "GET /ping HTTP/1.1\r\n", "GET /ping HTTP/1.1\r\n\(auth)",
            "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 5\r\n\r\n{",
            "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        ]
    )
    func half(_ bytes: String) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            try client.send(bytes)
            client.finishSending()
            let answer = try client.rest()
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
            #expect(await server.device.calls.isEmpty)
            #expect(try server.isWell())
        }
    }

    @Test(
        "What is odd but right is answered",
        arguments: [
            ("empty lines before a request", "\r\n\r\nGET /ping HTTP/1.1\r\n\(auth)\r\n", 200),
            ("no Host", "GET /ping?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n", 200),
            ("an absolute target", "GET http://device/ping?apikey=\(FakeDevice.key) HTTP/1.1\r\nHost: x\r\n\r\n", 200),
            ("OPTIONS *", "OPTIONS * HTTP/1.1\r\n\(auth)\r\n", 204),
            ("GET *", "GET * HTTP/1.1\r\n\(auth)\r\n", 404),
            (
                "a body where none is read",
                "POST /v1/regenerate-api-key HTTP/1.1\r\n\(auth)Content-Length: 3\r\n\r\n[}{", 200
            ),
            ("a body of a GET", "GET /ping HTTP/1.1\r\n\(auth)Content-Length: 2\r\n\r\n{}", 200),
            (
                "the largest body",
                "POST /v1/update HTTP/1.1\r\n\(auth)Content-Length: 102400\r\n\r\n{\(String(repeating: " ", count: 102_398))}",
                204
            ),
            (
                "chunks with an extension and a trailer",
                "POST /v1/update HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
                204
            ),
            (
                "identity",
                "POST /v1/update HTTP/1.1\r\n\(auth)Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", 204
            ),
            (
                "an encoding of no body",
                "POST /v1/update HTTP/1.1\r\n\(auth)Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 204
            ),
            (
                "an offer of HTTP/2",
                "GET /ping HTTP/1.1\r\n\(auth)Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
                200
            ),
            ("CONNECT", "CONNECT device:443 HTTP/1.1\r\n\(auth)\r\n", 404),
            ("an unknown path with a body", "POST /v1/nowhere HTTP/1.1\r\n\(auth)Content-Length: 2\r\n\r\n{}", 404),
        ]
    )
    func odd(name: String, bytes: String, status: Int) async throws {
        try await TestServer.run { server async throws in
            let client = try server.connect()
            try client.send(bytes)
            #expect(try client.reply().status == status)
        }
    }
}
