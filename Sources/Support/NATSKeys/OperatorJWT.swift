import JSON

/// The JWT that a nats-server trusts: of the operator, signed by itself.
public struct OperatorJWT: Sendable {
    public var name: String
    /// The public key of the operator.
    public var key: String
    /// The public key of the system account.
    public var systemAccount: String
    /// Seconds since 1970.
    public var issuedAt: Int64

    public init(name: String, key: String, systemAccount: String, issuedAt: Int64) {
        self.name = name
        self.key = key
        self.systemAccount = systemAccount
        self.issuedAt = issuedAt
    }

    public func signed(by key: NKey) -> String {
        let nats: JSONObject = [
            "type": "operator", "version": 2, "system_account": .string(systemAccount),
        ]
        return NATSToken.sign(.claims(name: name, key: self.key, issuedAt: issuedAt, nats), by: key)
    }
}
