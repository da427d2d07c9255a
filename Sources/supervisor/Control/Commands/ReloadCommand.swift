import ArgumentParser

struct ReloadCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have the supervisor read its configuration again.",
        discussion: """
            Returns when the new configuration is in force. One that is wrong is refused with file, line and key, and \
            the running one stays in force.
            """
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        try await client.post("/control/reload")
        return ""
    }
}
