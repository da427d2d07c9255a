/// A service with everything that its container is created from.
package struct ResolvedService: Sendable, Hashable {
    package var key: ServiceKey
    package var digest: String
    package var image: String
    /// The id that the image has now, where a container of another content under the same name is out of date; nil where
    /// the name is enough.
    package var imageID: String?
    package var running: Bool
    package var strategy: UpdateStrategy
    package var restart: ContainerSpecification.RestartPolicy
    /// The engine's names of its networks; none of them where it is on the host's or the engine's own.
    package var networks: [String]
    /// The engine's names of its volumes.
    package var volumes: [String]
    package var dependencies: [Dependency]

    package init(
        key: ServiceKey,
        digest: String,
        image: String,
        running: Bool = true,
        strategy: UpdateStrategy = .downloadThenKill,
        restart: ContainerSpecification.RestartPolicy = .always,
        networks: [String] = [],
        volumes: [String] = [],
        dependencies: [Dependency] = []
    ) {
        self.key = key
        self.digest = digest
        self.image = image
        self.running = running
        self.strategy = strategy
        self.restart = restart
        self.networks = networks
        self.volumes = volumes
        self.dependencies = dependencies
    }
}
