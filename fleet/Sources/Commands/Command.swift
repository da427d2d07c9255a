import JSON

/// A command to one device.
struct Command: Sendable {
    /// Limit on the encoded command, in bytes.
    static let sizeLimit = 256 << 10

    /// The same for the same request with the same key: the device does nothing twice.
    var id: String
    var method: String
    var path: String
    var body: String?
    /// Milliseconds since 1970: what is read later is not done.
    var notAfter: Int64
    var actor: String

    /// - Parameter key: the Idempotency-Key, else something random.
    init(
        token: Int64,
        key: String,
        device: String,
        method: String,
        path: String,
        body: String?,
        notAfter: Int64,
        actor: String
    ) {
        // A separator that is in none of them but the last.
        id = Secret.hash("\(token)\n\(key)\n\(device)\n\(method)\n\(path)\n\(body ?? "")")
        self.method = method
        self.path = path
        self.body = body
        self.notAfter = notAfter
        self.actor = actor
    }

    func encoded() -> [UInt8] {
        var object: JSONObject = ["id": .string(id), "method": .string(method), "url": .string(path)]
        if let body { object["body"] = .string(body) }
        object["notAfter"] = .integer(notAfter)
        object["actor"] = .string(actor)
        return JSONValue.object(object).encoded()
    }
}
