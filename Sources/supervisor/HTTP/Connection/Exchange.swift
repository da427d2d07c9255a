import NIOCore
import NIOHTTP1

/// One request and what is known of it until it is answered.
struct Exchange {
    /// For the log and for X-Request-Id.
    var id: String
    var method: String
    /// Without the query, which may hold the key.
    var path: String
    var query: Substring
    var contentType: String?
    /// For whom the client asks, where it may say so.
    var actor: String?
    var verdict: Admission.Verdict
    var started: NIODeadline
    /// Whether the client takes a body in chunks (RFC 9112, section 7.1).
    var takesChunks = true
    /// Whether the client takes a further request on this connection.
    var keepsAlive: Bool
    /// The whole request has arrived.
    var isComplete = false
    /// Bytes of the body so far.
    var received = 0
    /// The body, for a route that reads it.
    var body: [UInt8] = []

    var isHead: Bool { method == "HEAD" }

    /// nil where the answer is settled.
    var route: Route? {
        if case .run(let route, _) = verdict { route } else { nil }
    }

    /// A request that the parser could not read.
    init(malformed id: String, started: NIODeadline) {
        self.id = id
        self.started = started
        method = "-"
        path = "-"
        query = ""
        verdict = .refuse(.text(.badRequest, "Bad request"))
        keepsAlive = false
    }

    init(_ head: HTTPRequestHead, admission: Admission, id: String, started: NIODeadline) {
        self.id = id
        self.started = started
        method = head.method.rawValue
        path = admission.path
        query = admission.query
        contentType = head.headers.first(name: "Content-Type")
        verdict = admission.verdict
        // HTTP/1.0 ends with its response, whatever it asks for. After a request for an upgrade the parser stops.
        let upgrades = head.method == .CONNECT || head.headers.contains(name: "Upgrade")
        takesChunks = head.version != .http1_0
        keepsAlive = head.version != .http1_0 && head.isKeepAlive && !upgrades
    }

    /// False once the body is longer than `limit`.
    mutating func take(_ bytes: ByteBuffer, limit: Int) -> Bool {
        received += bytes.readableBytes
        guard received <= limit else { return false }
        if route?.readsBody == true { body.append(contentsOf: bytes.readableBytesView) }
        return true
    }
}
