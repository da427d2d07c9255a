import SupervisorPluginAPI

@main
struct StoragePlugin: Plugin {
    static let name = "storage"
    static let version = "0.1.0"
    static let summary = "Removes what the core has renamed away."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
