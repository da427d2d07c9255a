import JSON

extension JSONObject {
    /// What every JWT of NATS has. Its id is random.
    static func claims(
        name: String,
        key: String,
        issuedAt: Int64,
        expiresAt: Int64? = nil,
        _ nats: JSONObject
    ) -> JSONObject {
        var source = SystemRandomNumberGenerator()
        let id = Base32.encode((0..<15).map { _ in source.next() })
        var claims: JSONObject = [
            "jti": .string(id), "iat": .integer(issuedAt), "name": .string(name), "sub": .string(key),
        ]
        if let expiresAt { claims["exp"] = .integer(expiresAt) }
        claims["nats"] = .object(nats)
        return claims
    }
}
