/// The compose keys of a service that the supervisor hands to the engine.
struct Composition: Sendable, Hashable {
    var command: [String]?
    var entrypoint: [String]?
    /// "host", "bridge" or "none"; without a meaning where there are `networks`.
    var networkMode = "host"
    /// The networks of the application that the service is on. The first one is that at whose gateway it finds the API.
    var networks: [NetworkMembership] = []
    /// What has to run before the service starts.
    var dependencies: [Dependency] = []
    var privileged = false
    var restart = ContainerSpecification.RestartPolicy.always
    var ports: [ContainerSpecification.Port] = []
    /// The source is a path of the host, or the name of one of the application's volumes.
    var binds: [ContainerSpecification.Bind] = []
    var devices: [ContainerSpecification.Device] = []
    var capabilitiesAdded: [String] = []
    var capabilitiesDropped: [String] = []
    var tmpfs: [String: String] = [:]
    var workingDirectory: String?
    var user: String?
    var hostname: String?
    var groups: [String] = []
    var extraHosts: [String] = []
    var dns: [String] = []
    var securityOptions: [String] = []
    var sysctls: [String: String] = [:]
    var stopSignal: String?
    /// Whole seconds.
    var stopGracePeriod: Int?
    var initProcess: Bool?
    var readOnlyRoot = false
    var terminal = false
    var openInput = false
    var pidMode: String?
    var ipcMode: String?
    /// Bytes.
    var memoryLimit: Int64?
    /// Bytes.
    var sharedMemorySize: Int64?

    init() {}
}
