/// A service with everything that its container is made from.
public struct ResolvedService: Sendable, Hashable {
    public var key: ServiceKey
    public var digest: String
    public var image: String
    public var running: Bool
    public var strategy: UpdateStrategy
    public var restart: ContainerSpecification.RestartPolicy
    /// The engine's names of its networks; none of them where it is on the host's or the engine's own.
    public var networks: [String]
    /// The engine's names of its volumes.
    public var volumes: [String]
    public var dependencies: [Dependency]

    public init(
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
