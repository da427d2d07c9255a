import SupervisorPluginAPI
import SupervisorVersion

@main
struct TCPPingPlugin: Plugin {
    static let name = "tcp-ping"
    static let version = Version.text
    static let summary = "Watches the device's connectivity with a TCP heartbeat."

    private let heartbeat: Heartbeat?
    private static let noTarget = "no Target is set in [Settings]"

    init(_ context: PluginContext) async throws(PluginError) {
        guard let settings = try HeartbeatSettings(context.settings) else {
            heartbeat = nil
            return
        }
        heartbeat = Heartbeat(settings) { context.notify(TCPPingState.changedNotification, $0) }
    }

    var handlers: [PluginHandler] {
        PluginHandler.immediate(TCPPingEnable.self) { _ throws(PluginError) in
            guard let heartbeat else { throw PluginError(.notSupported, Self.noTarget) }
            return heartbeat.enable()
        }
        PluginHandler.immediate(TCPPingDisable.self) { _ throws(PluginError) in
            heartbeat?.disable() ?? TCPPingState(isEnabled: false, isConnected: nil)
        }
        PluginHandler.immediate(TCPPingStatus.self) { _ throws(PluginError) in
            heartbeat?.state ?? TCPPingState(isEnabled: false, isConnected: nil)
        }
    }

    func readiness() async -> PluginPing.Reply {
        heartbeat == nil ? PluginPing.Reply(isReady: false, reason: Self.noTarget) : PluginPing.Reply(isReady: true)
    }
}
