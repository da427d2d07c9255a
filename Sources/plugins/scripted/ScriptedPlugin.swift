import SupervisorPluginAPI

@main
struct ScriptedPlugin: Plugin {
    static let name = "scripted"
    static let version = "0.1.0"
    static let summary = "Does to its caller what the test tells it."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
