/// An application as it should run.
public struct AppTarget: Sendable, Hashable {
    public var id: AppID
    public var name: String
    public var commit: String
    public var releaseID: String
    /// In the order in which they start: those that another depends on before it.
    public var services: [ServiceTarget]
    public var volumes: [VolumeTarget]
    public var networks: [NetworkTarget]
    /// Whether it is one of several services that a release updates: then only what changed is touched, and a container's
    /// commit is that of the release it was made for.
    public var isMultiService: Bool

    public init(
        id: AppID,
        name: String,
        commit: String,
        releaseID: String = "",
        services: [ServiceTarget],
        volumes: [VolumeTarget] = [],
        networks: [NetworkTarget] = [],
        isMultiService: Bool = false
    ) {
        self.id = id
        self.name = name
        self.commit = commit
        self.releaseID = releaseID
        self.services = services
        self.volumes = volumes
        self.networks = networks
        self.isMultiService = isMultiService
    }
}
