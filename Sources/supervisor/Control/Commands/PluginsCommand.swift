import JSON
import SupervisorCommandLine

struct PluginsCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "plugins",
        abstract: "Show the plugins, the operations of each, and why one is not used.",
        options: [.json]
    )

    private let json: Bool

    init(_ arguments: CommandArguments) {
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let plugins = try await client.getJSON("/control/plugins")
        return json ? plugins.text : PluginReport(plugins.arrayValue ?? [], style: Terminal.output.style).text()
    }
}
