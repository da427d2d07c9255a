/// The part of the configuration that the core uses.
public struct SupervisorSettings: Sendable, Hashable {
    public var targetFile: String
    public var pollInterval: Duration
    public var apiPort: Int
    /// For messages only.
    public var engineSocket: String

    public init(targetFile: String, pollInterval: Duration, apiPort: Int, engineSocket: String) {
        self.targetFile = targetFile
        self.pollInterval = pollInterval
        self.apiPort = apiPort
        self.engineSocket = engineSocket
    }
}
