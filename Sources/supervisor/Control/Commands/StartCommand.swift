import JSON

struct StartCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "start",
        abstract: "Start an application's container.",
        discussion: "One that runs already is left alone.",
        operands: [AppArgument.syntax]
    )

    private let application: AppArgument

    init(_ arguments: CommandArguments) {
        application = AppArgument(arguments)
    }

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let app = try await application.resolve(client)
        try await client.post("/v1/apps/\(app)/start")
        return ""
    }
}
