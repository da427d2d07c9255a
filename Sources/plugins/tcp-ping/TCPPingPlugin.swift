import SupervisorPluginAPI

@main
struct TCPPingPlugin: Plugin {
    static let name = "tcp-ping"
    static let version = "0.1.0"
    static let summary = "Watches the device's connectivity by a TCP heartbeat."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
