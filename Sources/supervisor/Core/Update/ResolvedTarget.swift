/// What should be on the device.
public struct ResolvedTarget: Sendable, Hashable {
    /// Those of one application in the order in which they start.
    public var services: [ResolvedService]
    public var networks: [ResolvedNetwork]
    public var volumes: [ResolvedVolume]

    public init(services: [ResolvedService] = [], networks: [ResolvedNetwork] = [], volumes: [ResolvedVolume] = []) {
        self.services = services
        self.networks = networks
        self.volumes = volumes
    }
}
