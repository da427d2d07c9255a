public import NATSKeys

/// Where to connect and with which credentials; asked for before each attempt.
public struct NATSLogin: Sendable {
    /// Taken in turn, one for each attempt. What servers say about others of their cluster is ignored.
    public var servers: [NATSServer]
    /// nil where the server wants none.
    public var jwt: String?
    /// Signs the server's nonce.
    public var key: NKey?

    public init(servers: [NATSServer], jwt: String? = nil, key: NKey? = nil) {
        self.servers = servers
        self.jwt = jwt
        self.key = key
    }
}
