/// What runs on this device, as the engine says.
public struct CurrentState: Sendable, Hashable {
    /// A container of ours.
    public struct Instance: Sendable, Hashable {
        public var id: String
        public var key: ServiceKey
        public var commit: String
        public var digest: String
        public var image: String
        public var imageID: String
        public var state: ContainerState

        public init(
            id: String,
            key: ServiceKey,
            commit: String,
            digest: String,
            image: String,
            imageID: String,
            state: ContainerState
        ) {
            self.id = id
            self.key = key
            self.commit = commit
            self.digest = digest
            self.image = image
            self.imageID = imageID
            self.state = state
        }
    }

    public var instances: [Instance]
    /// Names of wanted images that the engine has.
    public var images: Set<String>
    /// Services that were stopped through the API, and stay so until they are started or made anew.
    public var halted: Set<ServiceKey>
    /// Whether everything that has ended runs again, as after a boot, whatever its restart policy.
    public var startsEverything: Bool
    /// Services that have run since then: what has ended by its own policy meanwhile is not run a second time.
    public var haveRun: Set<ServiceKey>

    public init(
        instances: [Instance] = [],
        images: Set<String> = [],
        halted: Set<ServiceKey> = [],
        startsEverything: Bool = false,
        haveRun: Set<ServiceKey> = []
    ) {
        self.instances = instances
        self.images = images
        self.halted = halted
        self.startsEverything = startsEverything
        self.haveRun = haveRun
    }

    func instances(of key: ServiceKey) -> [Instance] { instances.filter { $0.key == key } }

    /// The services of an application that have a living container: those whose update lock counts.
    func aliveServices(of app: AppID) -> [String] {
        Set(instances.lazy.filter { $0.key.app == app && $0.state.isAlive }.map(\.key.service)).sorted()
    }
}

extension CurrentState.Instance {
    /// nil for a container whose labels are not ours or not whole.
    init?(_ container: EngineContainer) {
        guard let text = container.labels[ContainerLabel.app], let app = AppID(digits: text),
            let service = container.labels[ContainerLabel.service]
        else { return nil }
        self.init(
            id: container.id,
            key: ServiceKey(app: app, service: service),
            commit: container.labels[ContainerLabel.commit] ?? "",
            digest: container.labels[ContainerLabel.configuration] ?? "",
            image: container.image,
            imageID: container.imageID,
            state: container.state
        )
    }
}
