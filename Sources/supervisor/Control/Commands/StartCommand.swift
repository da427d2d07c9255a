import ArgumentParser
import SupervisorPluginAPI

struct StartCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start an application's container.",
        discussion: "One that runs already is left alone."
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var application: AppArgument

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let app = try await application.resolve(client)
        try await client.post("/v1/apps/\(app)/start")
        return ""
    }
}
