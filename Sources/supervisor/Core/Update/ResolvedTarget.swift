/// What should be on the device.
package struct ResolvedTarget: Sendable, Hashable {
    /// Those of one application in the order in which they start.
    package var services: [ResolvedService]
    package var networks: [ResolvedNetwork]
    package var volumes: [ResolvedVolume]

    package init(services: [ResolvedService] = [], networks: [ResolvedNetwork] = [], volumes: [ResolvedVolume] = []) {
        self.services = services
        self.networks = networks
        self.volumes = volumes
    }
}
