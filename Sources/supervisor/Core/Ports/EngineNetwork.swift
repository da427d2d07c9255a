/// A network in a list.
public struct EngineNetwork: Sendable, Hashable {
    public var id: String
    public var name: String
    public var labels: [String: String]
    /// The bridge's name on the host (the option com.docker.network.bridge.name); nil for other drivers.
    public var bridge: String?
    /// The IPv4 gateway as a container of it sees the host; nil where the network has none.
    public var gateway: String?
    /// Its address blocks in CIDR notation.
    public var subnets: [String]

    public init(
        id: String,
        name: String,
        labels: [String: String],
        bridge: String? = nil,
        gateway: String? = nil,
        subnets: [String] = []
    ) {
        self.id = id
        self.name = name
        self.labels = labels
        self.bridge = bridge
        self.gateway = gateway
        self.subnets = subnets
    }
}
