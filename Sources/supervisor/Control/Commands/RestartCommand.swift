import JSON

struct RestartCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "restart",
        abstract: "Make an application's containers anew and start them.",
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
        try await client.post("/v1/restart", ["appId": .integer(app), "force": .bool(force)])
        return ""
    }
}
