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
