import SupervisorPluginAPI

@main
struct HostnamedPlugin: Plugin {
    static let name = "hostnamed"
    static let version = "0.1.0"
    static let summary = "Reads and sets the host's name through org.freedesktop.hostname1."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
