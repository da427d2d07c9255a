public import SupervisorPluginAPI

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
    public var services: [ServiceTarget]
    /// Names.
    public var volumes: [String]
    /// Names.
    public var networks: [String]

    public init(
        id: AppID,
        name: String,
        commit: String,
        releaseID: String = "",
        services: [ServiceTarget],
        volumes: [String] = [],
        networks: [String] = []
    ) {
        self.id = id
        self.name = name
        self.commit = commit
        self.releaseID = releaseID
        self.services = services
        self.volumes = volumes
        self.networks = networks
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

    /// By the label `io.resin.update.strategy`, or its `io.balena.` twin.
    public var strategy: UpdateStrategy {
        let label = labels["io.balena.update.strategy"] ?? labels["io.resin.update.strategy"]
        return label.flatMap(UpdateStrategy.init(rawValue:)) ?? .downloadThenKill
    }
}

/// The order of downloading the new image and stopping the old container.
public enum UpdateStrategy: String, Sendable, Hashable, CaseIterable {
    case downloadThenKill = "download-then-kill"
    case killThenDownload = "kill-then-download"
}

/// The compose keys of a service that the supervisor hands to the engine.
public struct Composition: Sendable, Hashable {
    public var command: [String]?
    public var entrypoint: [String]?
    public var networkMode = "host"
    public var privileged = false
    public var restart = ContainerSpecification.RestartPolicy.always
    public var ports: [ContainerSpecification.Port] = []
    /// Host paths only.
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

/// Where a target state is wrong.
public struct TargetError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Line and column, or the path of the member, such as "apps.2167.services.1.image".
    public var place: String
    public var reason: String

    public var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}
