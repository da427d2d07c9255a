import SupervisorCommandLine

struct ReloadCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "reload",
        abstract: "Have the supervisor read its configuration again.",
        discussion: """
            Returns when the new configuration is in force. One that is wrong is refused with file, line and key, and \
            the running one stays in force.
            """
    )

    init(_ arguments: CommandArguments) {}

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        try await client.post("/control/reload")
        return ""
    }
}
