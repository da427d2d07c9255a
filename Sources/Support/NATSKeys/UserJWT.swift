import JSON

/// The JWT of a user, which is one that connects: a device or the service.
public struct UserJWT: Sendable {
    /// The server puts it into a device's permissions: whoever signs has checked that it is one token of a subject.
    public var name: String
    /// The public key of the user.
    public var key: String
    /// Seconds since 1970.
    public var issuedAt: Int64
    /// Seconds since 1970; nil for never.
    public var expiresAt: Int64?
    /// The public key of the account, where one of its signing keys signs instead of the account's own.
    public var issuerAccount: String?
    /// Whether the permissions come from the template of the signing key. Otherwise everything is allowed.
    public var isScoped: Bool

    public init(
        name: String,
        key: String,
        issuedAt: Int64,
        expiresAt: Int64? = nil,
        issuerAccount: String? = nil,
        isScoped: Bool = false
    ) {
        self.name = name
        self.key = key
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.issuerAccount = issuerAccount
        self.isScoped = isScoped
    }

    public func signed(by key: NKey) -> String {
        var nats: JSONObject = ["type": "user", "version": 2]
        if !isScoped {
            for name in ["pub", "sub"] { nats[name] = [:] }
            for name in ["subs", "data", "payload"] { nats[name] = -1 }
        }
        if let issuerAccount { nats["issuer_account"] = .string(issuerAccount) }
        let claims = JSONObject.claims(name: name, key: self.key, issuedAt: issuedAt, expiresAt: expiresAt, nats)
        return NATSToken.sign(claims, by: key)
    }
}
