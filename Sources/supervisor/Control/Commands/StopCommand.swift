import ArgumentParser
import SupervisorPluginAPI

struct StopCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop an application's container.",
        discussion: """
            The container is kept. It runs again after supervisorctl start, and after a restart of the device or of \
            the supervisor.
            """
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var application: AppArgument
    @OptionGroup var override: ForceFlag

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let app = try await application.resolve(client)
        try await client.post("/v1/apps/\(app)/stop", ["force": .bool(override.force)])
        return ""
    }
}
