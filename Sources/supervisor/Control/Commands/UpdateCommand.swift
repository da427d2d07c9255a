import ArgumentParser
import SupervisorPluginAPI

struct UpdateCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Start an update check now.",
        discussion: "Returns at once; supervisorctl status shows how it goes."
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var override: ForceFlag

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        try await client.post("/v1/update", ["force": .bool(override.force)])
        return ""
    }
}
