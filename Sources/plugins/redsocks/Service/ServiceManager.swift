import SupervisorPluginAPI

/// What starts and stops redsocks.
protocol ServiceManager: Sendable {
    /// Returns when the unit has been restarted; a unit whose conditions are not met is stopped then.
    func restart(_ unit: String) async throws(ServiceError)

    /// ActiveState of org.freedesktop.systemd1(5): "active", "inactive", "failed", "activating", …
    func activeState(of unit: String) async throws(ServiceError) -> String
}

struct ServiceError: Error {
    var cause: PluginError
    /// Whether the unit may have been touched. False for a refusal and for a bus that is away.
    var hasBegun: Bool

    init(_ cause: PluginError, hasBegun: Bool) {
        self.cause = cause
        self.hasBegun = hasBegun
    }
}
