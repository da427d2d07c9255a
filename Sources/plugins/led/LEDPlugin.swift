import SupervisorPluginAPI

@main
struct LEDPlugin: Plugin {
    static let name = "led"
    static let version = "0.1.0"
    static let summary = "Blinks the board's LED."

    init(_ context: PluginContext) async throws(PluginError) {}

    var handlers: [PluginHandler] {}
}
