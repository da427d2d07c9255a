public import JSON

/// The JWT of an account, signed by the operator.
public struct AccountJWT: Sendable {
    /// All JWTs of a user that were issued until a time are dead.
    public struct Revocation: Sendable, Hashable {
        /// The public key of the user.
        public var user: String
        /// Seconds since 1970; a JWT that was issued in this second is dead as well.
        public var until: Int64

        public init(user: String, until: Int64) {
            self.user = user
            self.until = until
        }
    }

    public var name: String
    /// The public key of the account.
    public var key: String
    /// Seconds since 1970.
    public var issuedAt: Int64
    /// The system account has the exports that events and requests of the server come through.
    public var isSystem = false
    /// What a user of the account may send at once, in bytes; -1 for no limit.
    public var maxPayload: Int64 = -1
    /// The public key that signs the JWTs of devices. What they may do is in the account, as a template.
    public var deviceSigningKey: String?
    public var revocations: [Revocation] = []

    public init(name: String, key: String, issuedAt: Int64) {
        self.name = name
        self.key = key
        self.issuedAt = issuedAt
    }

    /// What a device may do: receive what is meant for it, and answer it. `{{name()}}` is the name in its JWT.
    public static let deviceTemplate: JSONObject = [
        "sub": [
            "allow": [
                "sup.v1.dev.{{name()}}.call", "sup.v1.dev.{{name()}}.more", "sup.v1.dev.{{name()}}.cancel",
                "sup.v1.dev.{{name()}}.poke",
            ]
        ],
        "pub": [:],
        // One hour, in nanoseconds. A limit of messages would cut a stream.
        "resp": ["max": -1, "ttl": 3_600_000_000_000],
        "subs": 8, "data": -1, "payload": 524288, "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
    ]

    public func signed(by operatorKey: NKey) -> String {
        var nats: JSONObject = [
            "type": "account", "version": 2,
            "limits": [
                "subs": -1, "data": -1, "payload": .integer(maxPayload), "imports": -1, "exports": -1,
                "wildcards": true,
                "conn": -1, "leaf": isSystem ? -1 : 0,
            ],
        ]
        if isSystem {
            nats["exports"] = [
                [
                    "name": "account-monitoring-services", "subject": "$SYS.REQ.ACCOUNT.*.*", "type": "service",
                    "response_type": "Stream", "account_token_position": 4,
                ],
                [
                    "name": "account-monitoring-streams", "subject": "$SYS.ACCOUNT.*.>", "type": "stream",
                    "account_token_position": 3,
                ],
            ]
        }
        if let deviceSigningKey {
            nats["signing_keys"] = [
                [
                    "kind": "user_scope", "key": .string(deviceSigningKey), "role": "device",
                    "template": .object(Self.deviceTemplate),
                ]
            ]
        }
        if !revocations.isEmpty {
            nats["revocations"] = .object(JSONObject(revocations.map { ($0.user, .integer($0.until)) }))
        }
        return NATSToken.sign(.claims(name: name, key: key, issuedAt: issuedAt, nats), by: operatorKey)
    }
}
