/// A container in a list.
public struct EngineContainer: Sendable, Hashable {
    /// 64 hex digits.
    public var id: String
    /// Without the leading slash.
    public var name: String
    /// The image's name as the container was made from it.
    public var image: String
    /// The image's id, "sha256:…".
    public var imageID: String
    public var labels: [String: String]
    public var state: ContainerState
    /// When it was made, in seconds since 1970.
    public var created: Int64
    public var health: ContainerHealth
    /// The networks that it is on, by name, with their ids. The id is empty where the engine reports it only of a container
    /// that runs.
    public var networks: [String: String]

    public init(
        id: String,
        name: String,
        image: String,
        imageID: String,
        labels: [String: String],
        state: ContainerState,
        created: Int64 = 0,
        health: ContainerHealth = .none,
        networks: [String: String] = [:]
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.imageID = imageID
        self.labels = labels
        self.state = state
        self.created = created
        self.health = health
        self.networks = networks
    }
}
