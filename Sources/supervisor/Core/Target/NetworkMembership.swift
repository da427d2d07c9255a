/// A service on a network of its application.
public struct NetworkMembership: Sendable, Hashable {
    public var network: String
    /// Further names under which others find it there; its own name is always one.
    public var aliases: [String]
    public var ipv4Address: String?

    public init(network: String, aliases: [String] = [], ipv4Address: String? = nil) {
        self.network = network
        self.aliases = aliases
        self.ipv4Address = ipv4Address
    }
}
