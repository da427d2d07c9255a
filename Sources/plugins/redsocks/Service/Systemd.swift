import DBus
import SupervisorPluginAPI

/// systemd through org.freedesktop.systemd1(5), which asks polkit for manage-units with unit and verb "restart".
struct Systemd: ServiceManager {
    private let bus = SystemBus()
    /// Stopping and starting redsocks takes 0.1 s, and 20 s more where no resolver answers: ExecStartPre= and ExecStart= ask
    /// once each.
    private static let restartTime = Duration.seconds(30)
    private static let queryTime = Duration.seconds(5)

    private static let name = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let manager = "org.freedesktop.systemd1.Manager"

    func restart(_ unit: String) async throws(ServiceError) {
        let action = "restart \(unit)"
        let result: String
        do throws(BusError) {
            let (_, signal) = try await bus.waitForSignal(
                "JobRemoved",
                interface: Self.manager,
                path: Self.path,
                from: Self.name,
                timeout: Self.restartTime,
                after: { () async throws(BusError) -> String in try await begin(unit) },
                matching: { job, signal in
                    signal.arguments.count > 3 && signal.arguments[1].text == job
                }
            )
            result = signal.arguments[3].text ?? ""
        } catch {
            throw ServiceError(error.pluginError(doing: action), hasBegun: error.mayHaveBeenDone)
        }
        // "skipped" is what some versions say of a unit whose condition is not met.
        guard result == "done" || result == "skipped" else {
            throw ServiceError(
                PluginError(.failed, "cannot restart \(unit): its job ended as \(result)", source: Self.name),
                hasBegun: true
            )
        }
    }

    /// Queues the job and returns its path.
    private func begin(_ unit: String) async throws(BusError) -> String {
        do throws(BusError) {
            // Without a subscriber systemd sends no signals. A second one of the same client is refused.
            _ = try await call("Subscribe", [])
        } catch {
            guard error.name == "org.freedesktop.systemd1.AlreadySubscribed" else { throw error }
        }
        let reply = try await call("RestartUnit", [.string(unit), .string("replace")])
        guard let job = reply.first?.text else {
            throw BusError(name: BusError.invalidSignature, message: "systemd returned no job", mayHaveBeenDone: true)
        }
        return job
    }

    private func call(_ member: String, _ arguments: [BusValue]) async throws(BusError) -> [BusValue] {
        try await bus.call(
            Self.name,
            path: Self.path,
            interface: Self.manager,
            member: member,
            arguments: arguments,
            timeout: Self.queryTime
        )
    }

    func activeState(of unit: String) async throws(ServiceError) -> String {
        do throws(BusError) {
            guard let path = try await call("LoadUnit", [.string(unit)]).first?.text else {
                throw BusError(name: BusError.invalidSignature, message: "systemd returned no unit")
            }
            let state = try await bus.property(
                "ActiveState",
                of: "org.freedesktop.systemd1.Unit",
                at: Self.name,
                path: path,
                timeout: Self.queryTime
            )
            return state.text ?? ""
        } catch {
            // A question touches nothing, whatever became of it.
            throw ServiceError(error.pluginError(doing: "ask for the state of \(unit)"), hasBegun: false)
        }
    }
}
