/// A network of ours, complete: what is handed to the engine to make it.
public struct NetworkSpecification: Sendable, Hashable {
    public var name: String
    /// The bridge's name on the host, at most 15 characters.
    public var bridge: String
    public var labels: [String: String] = [:]
    /// No way out of it but to the host.
    public var isInternal = false
    public var enablesIPv6 = false
    /// Subnets in CIDR form with their gateways; empty lets the engine choose.
    public var subnets: [Subnet] = []
    /// Options of the bridge driver.
    public var options: [String: String] = [:]

    public struct Subnet: Sendable, Hashable {
        public var subnet: String
        public var gateway: String?
        public var range: String?

        public init(subnet: String, gateway: String? = nil, range: String? = nil) {
            self.subnet = subnet
            self.gateway = gateway
            self.range = range
        }
    }

    public init(name: String, bridge: String) {
        self.name = name
        self.bridge = bridge
    }
}
