/// What runs on this device, as the engine says.
package struct CurrentState: Sendable, Hashable {
    /// A container of ours.
    package struct Instance: Sendable, Hashable {
        package var id: String
        package var key: ServiceKey
        package var commit: String
        package var digest: String
        package var image: String
        package var imageID: String
        package var state: ContainerState
        /// Of two containers of a service the one with the higher number was made later. 0 where that is not known, of a
        /// container of an earlier version.
        package var generation: Int
        package var health: ContainerHealth
        /// The networks that it is on, by the engine's name, with their ids as far as the engine reports them.
        package var networks: [String: String]

        package init(
            id: String,
            key: ServiceKey,
            commit: String,
            digest: String,
            image: String,
            imageID: String,
            state: ContainerState,
            generation: Int = 0,
            health: ContainerHealth = .none,
            networks: [String: String] = [:]
        ) {
            self.id = id
            self.key = key
            self.commit = commit
            self.digest = digest
            self.image = image
            self.imageID = imageID
            self.state = state
            self.generation = generation
            self.health = health
            self.networks = networks
        }
    }

    /// A network of ours.
    package struct Network: Sendable, Hashable {
        package var id: String
        package var app: AppID
        /// The engine's.
        package var name: String
        package var digest: String

        package init(id: String, app: AppID, name: String, digest: String) {
            self.id = id
            self.app = app
            self.name = name
            self.digest = digest
        }
    }

    /// As the engine lists them, which is by a clock that may have been set: their order means nothing.
    package var instances: [Instance]
    package var networks: [Network]
    /// The engine's names of volumes of ours.
    package var volumes: Set<String>
    /// Names of wanted images that the engine has.
    package var images: Set<String>
    /// Services that were stopped through the API, and stay so until they are started or recreated.
    package var stoppedByRequest: Set<ServiceKey>
    /// Whether everything that has ended runs again, as after a boot, whatever its restart policy.
    package var startsEverything: Bool
    /// Services that have run since then: what has ended by its own policy meanwhile is not run a second time.
    package var servicesSeenRunning: Set<ServiceKey>
    /// Services whose new container has said that the old one may go, or has had its time to.
    package var handedOver: Set<ServiceKey>
    /// Digests of containers of releases that were rolled back.
    package var rejected: Set<String>
    /// Services whose image is there, and whose registry is to be asked for it once more: a new release may have pushed
    /// another content under the same tag.
    package var servicesToRefresh: Set<ServiceKey> = []

    package init(
        instances: [Instance] = [],
        networks: [Network] = [],
        volumes: Set<String> = [],
        images: Set<String> = [],
        stoppedByRequest: Set<ServiceKey> = [],
        startsEverything: Bool = false,
        servicesSeenRunning: Set<ServiceKey> = [],
        handedOver: Set<ServiceKey> = [],
        rejected: Set<String> = []
    ) {
        self.instances = instances
        self.networks = networks
        self.volumes = volumes
        self.images = images
        self.stoppedByRequest = stoppedByRequest
        self.startsEverything = startsEverything
        self.servicesSeenRunning = servicesSeenRunning
        self.handedOver = handedOver
        self.rejected = rejected
    }

    func instances(of key: ServiceKey) -> [Instance] { instances.filter { $0.key == key } }

    /// Containers of a service that live and were there when `successor` was made: what hands over to it. One that came
    /// later was to succeed it, and is no longer wanted.
    ///
    /// Of those of which it is not known, each counts as one that was there: it stays until the other says that it may go.
    func predecessors(of successor: Instance) -> [Instance] {
        instances.filter { instance in
            instance.id != successor.id && instance.key == successor.key && instance.state.isAlive
                && (instance.generation < successor.generation || instance.generation == 0
                    || successor.generation == 0)
                && !rejected.contains(instance.digest)
        }
    }
}

extension CurrentState.Instance {
    /// nil for a container that is not ours: whose labels are not complete, or whose name is not the one that we gave.
    init?(_ container: EngineContainer) {
        guard let text = container.labels[ContainerLabel.app], let app = AppID(digits: text),
            let service = container.labels[ContainerLabel.service], TargetMember.isName(service)
        else { return nil }
        let key = ServiceKey(app: app, service: service)
        let digest = container.labels[ContainerLabel.configuration] ?? ""
        guard ContainerName.isOurs(container.name, key, digest: digest) else { return nil }
        self.init(
            id: container.id,
            key: key,
            commit: container.labels[ContainerLabel.commit] ?? "",
            digest: digest,
            image: container.image,
            imageID: container.imageID,
            state: container.state,
            generation: container.labels[ContainerLabel.generation].flatMap { Int($0) }.map { max($0, 0) } ?? 0,
            health: container.health,
            networks: container.networks
        )
    }
}

extension CurrentState.Network {
    /// nil for a network that is not ours: whose labels are not complete, or whose name is not the one that we gave.
    init?(_ network: EngineNetwork) {
        guard let text = network.labels[ContainerLabel.app], let app = AppID(digits: text),
            let digest = network.labels[ContainerLabel.configuration],
            let name = network.labels[ContainerLabel.network],
            TargetMember.isName(name), network.name == app.engineName(name) || ContainerLabel.isTrial(network.labels)
        else { return nil }
        self.init(id: network.id, app: app, name: network.name, digest: digest)
    }
}
