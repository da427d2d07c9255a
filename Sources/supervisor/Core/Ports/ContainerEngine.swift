/// The container engine as the core sees it: just what it takes to run our own containers.
///
/// Every call has a time-out of its own inside and fails with a typed error. `unavailable` is a state of the engine, not
/// a fault of ours.
public protocol ContainerEngine: Sendable {
    /// Asks the engine whether it answers, and agrees on the version of its API. Returns what it calls itself.
    func ping() async throws(EngineError) -> EngineInformation

    /// All containers, in any state, that carry `label` (a label's name).
    func containers(label: String) async throws(EngineError) -> [EngineContainer]

    /// nil where there is none.
    func inspect(container id: String) async throws(EngineError) -> EngineContainerDetail?

    /// Returns the container's full id.
    func create(_ specification: ContainerSpecification) async throws(EngineError) -> String

    /// Starting a running container succeeds.
    func start(container id: String) async throws(EngineError)

    /// Asks the process to end, and kills it after `timeout`; nil stands for the container's own. Stopping a stopped
    /// container succeeds.
    func stop(container id: String, timeout: Duration?) async throws(EngineError)

    /// Removes a stopped container with its anonymous volumes. Removing an absent one succeeds.
    func remove(container id: String) async throws(EngineError)

    /// nil where the engine does not have it.
    func image(_ reference: String) async throws(EngineError) -> EngineImage?

    /// Downloads an image. `progress` is called on the event loop with a percentage from 0 to 100 that never falls.
    /// Cancelling the task aborts the download. Without credentials the registry is asked as anybody.
    func pull(
        _ reference: String,
        credentials: RegistryCredentials?,
        progress: @escaping @Sendable (Double) -> Void
    ) async throws(EngineError)

    /// Removing an absent image succeeds; one that a container uses fails with `conflict`.
    func remove(image reference: String) async throws(EngineError)

    /// The IPv4 gateway of a network as a container of it sees the host; nil where the network has none.
    func gateway(network: String) async throws(EngineError) -> String?

    /// The networks that carry `label` (a label's name).
    func networks(label: String) async throws(EngineError) -> [EngineNetwork]

    /// Returns the network's id. `conflict` where its name is taken.
    func create(_ specification: NetworkSpecification) async throws(EngineError) -> String

    /// Removing an absent network succeeds; one with containers on it fails with `conflict`.
    func remove(network id: String) async throws(EngineError)

    /// The volumes that carry `label` (a label's name).
    func volumes(label: String) async throws(EngineError) -> [EngineVolume]

    /// Making one that is there already succeeds and changes nothing.
    func create(_ specification: VolumeSpecification) async throws(EngineError)

    /// Calls `handle` on the event loop for each line that a container wrote to its output, oldest first: the last `tail`
    /// ones, then, with `follow`, each new one until the container ends. `since`, a time since 1970, leaves out what is
    /// older. Returns at the end; cancelling the task ends it.
    func logs(
        container id: String,
        tail: Int,
        since: Duration?,
        follow: Bool,
        handle: @escaping @Sendable (EngineLogLine) -> Void
    ) async throws(EngineError)

    /// Calls `handle` on the event loop for each event of a container that carries `label`, first with `.connected` once
    /// the stream is up. Returns when the stream ends; throws when it cannot be had. Does not reconnect by itself.
    func events(label: String, handle: @escaping @Sendable (EngineEvent) -> Void) async throws(EngineError)
}

/// What an engine says of itself.
public struct EngineInformation: Sendable, Hashable {
    /// "docker", "podman" or "balena-engine", as far as it can be told.
    public var name: String
    /// The engine's version, such as "20.10.24".
    public var version: String
    /// The version of the API in use, such as "1.41".
    public var apiVersion: String

    public init(name: String, version: String, apiVersion: String) {
        self.name = name
        self.version = version
        self.apiVersion = apiVersion
    }
}

/// State of a container, in the words of the Docker Engine API.
public enum ContainerState: String, Sendable, Hashable {
    case created, running, paused, restarting, removing, exited, dead

    /// Whether an update lock of the container counts: there is a process, or the engine is about to start one.
    public var isAlive: Bool { self == .running || self == .paused || self == .restarting }
}

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
    /// The networks that it is on, by name, with their ids. The id is empty where the engine tells it only of a container
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

/// What the HEALTHCHECK of a container's image says.
public enum ContainerHealth: String, Sendable, Hashable {
    /// There is no check, or the container does not run.
    case none
    /// No check has succeeded yet, and not enough have failed.
    case starting
    case healthy
    case unhealthy
}

/// A network in a list.
public struct EngineNetwork: Sendable, Hashable {
    public var id: String
    public var name: String
    public var labels: [String: String]
    /// The bridge's name on the host (the option com.docker.network.bridge.name); nil for other drivers.
    public var bridge: String?
    /// The IPv4 gateway as a container of it sees the host; nil where the network has none.
    public var gateway: String?

    public init(id: String, name: String, labels: [String: String], bridge: String? = nil, gateway: String? = nil) {
        self.id = id
        self.name = name
        self.labels = labels
        self.bridge = bridge
        self.gateway = gateway
    }
}

/// A volume in a list.
public struct EngineVolume: Sendable, Hashable {
    public var name: String
    public var labels: [String: String]

    public init(name: String, labels: [String: String]) {
        self.name = name
        self.labels = labels
    }
}

/// A line that a container wrote.
public struct EngineLogLine: Sendable, Hashable {
    /// Whether it came from the standard error.
    public var isError: Bool
    /// Without its end of line; what is not UTF-8 is replaced, what is over 16 KiB is cut.
    public var text: String

    public init(isError: Bool, text: String) {
        self.isError = isError
        self.text = text
    }
}

/// What a registry asks for before it gives an image.
public struct RegistryCredentials: Sendable, Hashable, CustomStringConvertible {
    /// Host with the port, such as "registry.example.com:5000".
    public var registry: String
    public var username: String
    public var password: String

    public init(registry: String, username: String, password: String) {
        self.registry = registry
        self.username = username
        self.password = password
    }

    /// Never tells the password.
    public var description: String { "credentials of \(username) for \(registry)" }
}

/// A container as inspected.
public struct EngineContainerDetail: Sendable, Hashable {
    public var container: EngineContainer
    /// As "NAME=value", in the engine's order, those of the image included.
    public var environment: [String]
    public var exitCode: Int?
    /// How often the engine has started it again by itself since it was last started.
    public var restartCount: Int
    /// What the engine says of a failed start; empty otherwise.
    public var error: String

    public init(
        container: EngineContainer,
        environment: [String],
        exitCode: Int?,
        restartCount: Int,
        error: String
    ) {
        self.container = container
        self.environment = environment
        self.exitCode = exitCode
        self.restartCount = restartCount
        self.error = error
    }
}

/// An image that the engine has.
public struct EngineImage: Sendable, Hashable {
    /// "sha256:…".
    public var id: String
    /// Names with tag.
    public var tags: [String]
    /// Names with digest.
    public var digests: [String]

    public init(id: String, tags: [String], digests: [String]) {
        self.id = id
        self.tags = tags
        self.digests = digests
    }
}

/// Something that happened to the engine's event stream or to one of our containers.
public enum EngineEvent: Sendable, Hashable {
    /// The stream is up: whatever happened before must be listed.
    case connected
    /// `action` in the words of the engine: create, start, die, destroy, …; exitCode with die.
    case container(id: String, action: String, exitCode: Int?, labels: [String: String])
}

/// Why the engine did not do what it was asked.
public struct EngineError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        let rawValue: String

        /// It cannot be reached, or went away while it worked. The outcome of the call is unknown.
        public static let unavailable = Code(rawValue: "unavailable")
        /// It did not answer in time. The outcome of the call is unknown.
        public static let timeout = Code(rawValue: "timeout")
        /// What was named does not exist.
        public static let notFound = Code(rawValue: "not-found")
        /// A name is taken, or the thing is in use.
        public static let conflict = Code(rawValue: "conflict")
        /// The engine calls the request wrong.
        public static let invalid = Code(rawValue: "invalid")
        /// The engine tried and failed.
        public static let failed = Code(rawValue: "failed")
        /// What came back is not what the API promises.
        public static let malformedAnswer = Code(rawValue: "malformed-answer")
        /// A registry wants credentials, or others than it got.
        public static let unauthorized = Code(rawValue: "unauthorized")
        /// A registry wants no more requests for a while.
        public static let tooManyRequests = Code(rawValue: "too-many-requests")
        /// A registry cannot be reached, or the connection to it broke off.
        public static let unreachable = Code(rawValue: "unreachable")
        /// What came does not match its digest.
        public static let damaged = Code(rawValue: "damaged")
        /// The engine's disk is full.
        public static let noSpace = Code(rawValue: "no-space")
        /// The task was cancelled.
        public static let cancelled = Code(rawValue: "cancelled")
    }

    public var code: Code
    /// One line: what was tried and what the engine said.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
