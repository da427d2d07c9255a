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
