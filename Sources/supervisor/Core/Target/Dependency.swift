/// A service that another one waits for.
package struct Dependency: Sendable, Hashable {
    package var service: String
    /// Whether its health check has to succeed first; otherwise it has to run.
    package var needsHealth: Bool

    package init(service: String, needsHealth: Bool = false) {
        self.service = service
        self.needsHealth = needsHealth
    }
}
