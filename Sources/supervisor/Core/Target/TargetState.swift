public import JSON

/// What should run on this device: the `local` object of the device state format, version 2.
public struct TargetState: Sendable, Hashable {
    public var name: String?
    /// Device-wide configuration variables.
    public var config: [String: String]
    /// In order of id.
    public var apps: [AppTarget]

    public init(name: String? = nil, config: [String: String] = [:], apps: [AppTarget] = []) {
        self.name = name
        self.config = config
        self.apps = apps
    }

    public subscript(id: AppID) -> AppTarget? { apps.first { $0.id == id } }
}

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

/// A volume of an application as it should be. It outlives its containers, and its application.
public struct VolumeTarget: Sendable, Hashable {
    public var name: String
    public var driver: String
    /// Of the driver.
    public var options: [String: String]
    public var labels: [String: String]
    /// The volume's object as it was written.
    public var definition: JSONObject

    public init(
        name: String,
        driver: String = "local",
        options: [String: String] = [:],
        labels: [String: String] = [:],
        definition: JSONObject = [:]
    ) {
        self.name = name
        self.driver = driver
        self.options = options
        self.labels = labels
        self.definition = definition
    }
}

/// A network of an application as it should be: a bridge of its own on the host.
public struct NetworkTarget: Sendable, Hashable {
    public var name: String
    /// No way out of it but to the host.
    public var isInternal: Bool
    public var enablesIPv6: Bool
    /// Empty lets the engine choose.
    public var subnets: [NetworkSpecification.Subnet]
    /// Of the bridge driver.
    public var options: [String: String]
    public var labels: [String: String]
    /// The network's object as it was written.
    public var definition: JSONObject

    public init(
        name: String,
        isInternal: Bool = false,
        enablesIPv6: Bool = false,
        subnets: [NetworkSpecification.Subnet] = [],
        options: [String: String] = [:],
        labels: [String: String] = [:],
        definition: JSONObject = [:]
    ) {
        self.name = name
        self.isInternal = isInternal
        self.enablesIPv6 = enablesIPv6
        self.subnets = subnets
        self.options = options
        self.labels = labels
        self.definition = definition
    }
}

/// A service of an application as it should run.
public struct ServiceTarget: Sendable, Hashable {
    public var id: String
    public var name: String
    public var imageID: String
    /// The image's name, with tag or digest.
    public var image: String
    /// false keeps the container, stopped.
    public var running: Bool
    public var environment: [String: String]
    public var labels: [String: String]
    public var composition: Composition
    /// The service's object as it was written; kept in a label of the container, so that a lost target can be read back
    /// from the engine.
    public var definition: JSONObject

    public init(
        id: String,
        name: String,
        imageID: String = "",
        image: String,
        running: Bool = true,
        environment: [String: String] = [:],
        labels: [String: String] = [:],
        composition: Composition = Composition(),
        definition: JSONObject = [:]
    ) {
        self.id = id
        self.name = name
        self.imageID = imageID
        self.image = image
        self.running = running
        self.environment = environment
        self.labels = labels
        self.composition = composition
        self.definition = definition
    }

    /// By the label `io.balena.update.strategy`, or its `io.resin.` twin.
    public var strategy: UpdateStrategy {
        label("update.strategy").flatMap(UpdateStrategy.init(rawValue:)) ?? .downloadThenKill
    }

    /// How long a hand-over may take: by the label `io.balena.update.handover-timeout`, or its `io.resin.` twin, in
    /// milliseconds; a minute without one.
    public var handOverTimeout: Duration {
        label("update.handover-timeout").flatMap(Int64.init).map(Duration.milliseconds) ?? .seconds(60)
    }

    /// How long a release has to stay up to be a good one, by the label `io.supervisor.healthy-after` in seconds; nil
    /// where nothing is to be rolled back.
    public var healthyAfter: Duration? {
        labels[Self.healthyAfterLabel].flatMap(Int64.init).map(Duration.seconds)
    }

    static let healthyAfterLabel = "io.supervisor.healthy-after"

    private func label(_ name: String) -> String? {
        labels["io.balena." + name] ?? labels["io.resin." + name]
    }
}

/// How a container gives way to its successor.
public enum UpdateStrategy: String, Sendable, Hashable, CaseIterable {
    /// The new image is downloaded while the old container runs.
    case downloadThenKill = "download-then-kill"
    /// The old container goes before the download.
    case killThenDownload = "kill-then-download"
    /// The old container and its image go before the download: for a device whose disk holds one of them only.
    case deleteThenDownload = "delete-then-download"
    /// The new container starts beside the old one, which goes when the new one says so.
    case handOver = "hand-over"
}

/// The compose keys of a service that the supervisor hands to the engine.
public struct Composition: Sendable, Hashable {
    public var command: [String]?
    public var entrypoint: [String]?
    /// "host", "bridge" or "none"; without a meaning where there are `networks`.
    public var networkMode = "host"
    /// The networks of the application that the service is on. The first one is that at whose gateway it finds the API.
    public var networks: [NetworkMembership] = []
    /// What has to run before the service starts.
    public var dependencies: [Dependency] = []
    public var privileged = false
    public var restart = ContainerSpecification.RestartPolicy.always
    public var ports: [ContainerSpecification.Port] = []
    /// The source is a path of the host, or the name of one of the application's volumes.
    public var binds: [ContainerSpecification.Bind] = []
    public var devices: [ContainerSpecification.Device] = []
    public var capabilitiesAdded: [String] = []
    public var capabilitiesDropped: [String] = []
    public var tmpfs: [String: String] = [:]
    public var workingDirectory: String?
    public var user: String?
    public var hostname: String?
    public var groups: [String] = []
    public var extraHosts: [String] = []
    public var dns: [String] = []
    public var securityOptions: [String] = []
    public var sysctls: [String: String] = [:]
    public var stopSignal: String?
    /// Whole seconds.
    public var stopGracePeriod: Int?
    public var initProcess: Bool?
    public var readOnlyRoot = false
    public var terminal = false
    public var openInput = false
    public var pidMode: String?
    public var ipcMode: String?
    /// Bytes.
    public var memoryLimit: Int64?
    /// Bytes.
    public var sharedMemorySize: Int64?

    public init() {}
}

/// A service on a network of its application.
public struct NetworkMembership: Sendable, Hashable {
    public var network: String
    /// Further names under which others find it there; its own name is always one.
    public var aliases: [String]
    public var ipv4Address: String?

    public init(network: String, aliases: [String] = [], ipv4Address: String? = nil) {
        self.network = network
        self.aliases = aliases
        self.ipv4Address = ipv4Address
    }
}

/// A service that another one waits for.
public struct Dependency: Sendable, Hashable {
    public var service: String
    /// Whether its health check has to succeed first; otherwise it has to run.
    public var needsHealth: Bool

    public init(service: String, needsHealth: Bool = false) {
        self.service = service
        self.needsHealth = needsHealth
    }
}

/// Where a target state is wrong.
public struct TargetError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Line and column, or the path of the member, such as "apps.2167.services.1.image".
    public var place: String
    public var reason: String

    public var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}
