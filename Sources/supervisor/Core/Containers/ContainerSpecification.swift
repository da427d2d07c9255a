/// A container of ours, complete: what is handed to the engine to make it.
public struct ContainerSpecification: Sendable, Hashable {
    public struct Bind: Sendable, Hashable {
        /// A path of the host, or the name of a volume.
        public var source: String
        public var target: String
        public var readOnly: Bool

        public init(source: String, target: String, readOnly: Bool = false) {
            self.source = source
            self.target = target
            self.readOnly = readOnly
        }
    }

    public struct Port: Sendable, Hashable {
        /// Empty for all addresses.
        public var hostAddress: String
        /// nil lets the engine choose.
        public var host: UInt16?
        public var container: UInt16
        /// "tcp", "udp" or "sctp".
        public var transport: String

        public init(hostAddress: String = "", host: UInt16?, container: UInt16, transport: String = "tcp") {
            self.hostAddress = hostAddress
            self.host = host
            self.container = container
            self.transport = transport
        }
    }

    public struct Device: Sendable, Hashable {
        public var host: String
        public var container: String
        /// Letters of r, w, m.
        public var permissions: String

        public init(host: String, container: String, permissions: String = "rwm") {
            self.host = host
            self.container = container
            self.permissions = permissions
        }
    }

    /// A network that the container is on.
    public struct Attachment: Sendable, Hashable {
        /// The engine's name of the network.
        public var network: String
        /// Names under which others on the network find it.
        public var aliases: [String]
        /// A fixed address; nil lets the engine choose.
        public var ipv4Address: String?

        public init(network: String, aliases: [String] = [], ipv4Address: String? = nil) {
            self.network = network
            self.aliases = aliases
            self.ipv4Address = ipv4Address
        }
    }

    public enum RestartPolicy: Sendable, Hashable {
        case no
        case always
        case unlessStopped
        /// nil = without limit.
        case onFailure(maximumRetries: Int?)
    }

    public var name: String
    public var image: String
    /// nil keeps the image's own.
    public var command: [String]?
    /// nil keeps the image's own.
    public var entrypoint: [String]?
    public var environment: [String: String] = [:]
    public var labels: [String: String] = [:]
    public var binds: [Bind] = []
    /// "host", "bridge", "none" or, of `networks`, the name of the first.
    public var networkMode = "host"
    /// The networks of ours that it is on; empty with "host", "bridge" and "none". The engine client attaches all of them
    /// before `create` returns.
    public var networks: [Attachment] = []
    public var ports: [Port] = []
    public var devices: [Device] = []
    public var privileged = false
    public var capabilitiesAdded: [String] = []
    public var capabilitiesDropped: [String] = []
    public var restartPolicy = RestartPolicy.always
    /// Path in the container to mount options.
    public var tmpfs: [String: String] = [:]
    public var workingDirectory: String?
    public var user: String?
    public var hostname: String?
    public var groups: [String] = []
    /// As "name:address".
    public var extraHosts: [String] = []
    public var dns: [String] = []
    public var securityOptions: [String] = []
    public var sysctls: [String: String] = [:]
    public var stopSignal: String?
    /// Whole seconds between the stop signal and the kill.
    public var stopTimeout: Int?
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

    public init(name: String, image: String) {
        self.name = name
        self.image = image
    }
}
