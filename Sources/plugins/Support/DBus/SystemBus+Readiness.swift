public import SupervisorPluginAPI

extension SystemBus {
    /// Whether the bus answers, for plugin.ping. Services on it are started by it when they are needed.
    public func readiness() async -> PluginPing.Reply {
        do throws(BusError) {
            _ = try await call(
                "org.freedesktop.DBus",
                path: "/org/freedesktop/DBus",
                interface: "org.freedesktop.DBus",
                member: "GetId",
                timeout: .seconds(1)
            )
            return PluginPing.Reply(isReady: true)
        } catch {
            return PluginPing.Reply(isReady: false, reason: "the system bus is away: \(error.message)")
        }
    }
}
