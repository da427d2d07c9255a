import SupervisorCommandLine

struct ReloadCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "reload",
        abstract: "Have the supervisor reload its configuration.",
        discussion: """
            Returns when the new configuration is in effect. A configuration with an error is refused with file, line \
            and key, and the current one stays in effect.
            """
    )

    init(_ arguments: CommandArguments) {}

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        try await client.post("/control/reload")
        return ""
    }
}
