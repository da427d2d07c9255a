import SupervisorPluginAPI

struct UpdateCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "update",
        abstract: "Start an update check now.",
        discussion: "Returns at once; supervisorctl status shows how it goes.",
        options: [.force]
    )

    private let force: Bool

    init(_ arguments: CommandArguments) {
        force = arguments.has(.force)
    }

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        try await client.post("/v1/update", ["force": .bool(force)])
        return ""
    }
}
