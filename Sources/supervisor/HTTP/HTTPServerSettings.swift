/// The [API] section of the configuration.
public struct HTTPServerSettings: Sendable, Hashable {
    /// A reload cannot change it.
    public var port: UInt16
    /// Names of interfaces; "apps" means the bridges of networks that the supervisor made, `supervisor0` and so on, "*"
    /// for everything.
    public var interfaces: [String]
    /// Of the TCP listeners together; the control socket has a budget of its own.
    public var maxConnections: Int
    public var pingRequiresKey: Bool

    public init(
        port: UInt16 = 48484,
        interfaces: [String] = ["lo", "docker0", "apps", "resin-vpn", "tun0"],
        maxConnections: Int = 512,
        pingRequiresKey: Bool = true
    ) {
        self.port = port
        self.interfaces = interfaces
        self.maxConnections = maxConnections
        self.pingRequiresKey = pingRequiresKey
    }
}
