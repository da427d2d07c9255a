import ArgumentParser
import SupervisorPluginAPI

struct PluginsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins",
        abstract: "Show the plugins, what each does, and why one is not used."
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Print the supervisor's answer as JSON, on one line.")
    var json = false

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let plugins = try await client.getJSON("/control/plugins")
        return json ? plugins.text : PluginReport(plugins.arrayValue ?? []).text()
    }
}
