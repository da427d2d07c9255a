import SupervisorPluginAPI

@main
struct LogindPlugin: Plugin {
    static let name = "logind"
    static let version = "0.1.0"
    static let summary = "Reboots and powers off the host through org.freedesktop.login1."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
