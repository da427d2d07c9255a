import DBus
import SupervisorPluginAPI
import SupervisorVersion

@main
struct LogindPlugin: Plugin {
    static let name = "logind"
    static let version = Version.text
    static let summary = "Reboots and powers off the host through org.freedesktop.login1."

    private let bus: SystemBus
    private let power: Power

    init(_ context: PluginContext) async throws(PluginError) {
        bus = SystemBus()
        power = Power(bus: bus)
    }

    var handlers: [PluginHandler] {
        PluginHandler(PowerReboot.self) { _ throws(PluginError) in
            try await power.start(.reboot)
            return EmptyPayload()
        }
        PluginHandler(PowerPowerOff.self) { _ throws(PluginError) in
            try await power.start(.powerOff)
            return EmptyPayload()
        }
        PluginHandler(PowerStatus.self) { _ throws(PluginError) in
            try await power.status()
        }
    }

    func readiness() async -> PluginPing.Reply {
        await bus.readiness()
    }

    func shutdown() async {
        await bus.disconnect()
    }
}
