/// A service on a network of its application.
struct NetworkMembership: Sendable, Hashable {
    var network: String
    /// Further names under which others find it there; its own name is always one.
    var aliases: [String] = []
    var ipv4Address: String?
}
