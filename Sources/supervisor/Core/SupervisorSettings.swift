/// The part of the configuration that the core uses.
public struct SupervisorSettings: Sendable, Hashable {
    /// The version of the original supervisor whose API this one has.
    public static let apiVersion = "6.6.11"

    public var targetFile: String
    /// Where the uplink hands over the target of a remote service. While there is one, it counts, and not the target file;
    /// nil where no such place is configured.
    public var cloudTargetFile: String?
    public var pollInterval: Duration
    public var apiPort: Int
    /// What clients are given as the version of the supervisor: that of the API that they can rely on. They compare it, and
    /// refuse to call what an older supervisor did not have.
    public var reportedVersion: String
    /// For messages only.
    public var engineSocket: String

    public init(
        targetFile: String,
        cloudTargetFile: String? = nil,
        pollInterval: Duration,
        apiPort: Int,
        reportedVersion: String = Self.apiVersion,
        engineSocket: String
    ) {
        self.reportedVersion = reportedVersion
        self.targetFile = targetFile
        self.cloudTargetFile = cloudTargetFile
        self.pollInterval = pollInterval
        self.apiPort = apiPort
        self.engineSocket = engineSocket
    }
}
