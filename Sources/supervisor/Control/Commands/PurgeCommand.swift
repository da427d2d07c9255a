import ArgumentParser
import SupervisorPluginAPI

struct PurgeCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete everything in an application's /data.",
        discussion: "The application is stopped for it, and started again on an empty directory. There is no way back."
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var application: AppArgument
    @OptionGroup var override: ForceFlag

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let app = try await application.resolve(client)
        try await client.post("/v1/purge", ["appId": .integer(app), "force": .bool(override.force)])
        return ""
    }
}
