import SupervisorPluginAPI

@main
struct RedsocksPlugin: Plugin {
    static let name = "redsocks"
    static let version = "0.1.0"
    static let summary = "Sends the host's traffic through a proxy by redsocks."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
