import ArgumentParser
import SupervisorPluginAPI

struct RestartCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Make an application's containers anew and start them."
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var application: AppArgument
    @OptionGroup var override: ForceFlag

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let app = try await application.resolve(client)
        try await client.post("/v1/restart", ["appId": .integer(app), "force": .bool(override.force)])
        return ""
    }
}
