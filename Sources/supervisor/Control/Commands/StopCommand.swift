import JSON

struct StopCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "stop",
        abstract: "Stop an application's container.",
        discussion: """
            The container is kept. It runs again after superctl start, and after a restart of the device or of \
            the supervisor.
            """,
        operands: [AppArgument.syntax],
        options: [.force]
    )

    private let application: AppArgument
    private let force: Bool

    init(_ arguments: CommandArguments) {
        application = AppArgument(arguments)
        force = arguments.has(.force)
    }

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let app = try await application.resolve(client)
        try await client.post("/v1/apps/\(app)/stop", ["force": .bool(force)])
        return ""
    }
}
