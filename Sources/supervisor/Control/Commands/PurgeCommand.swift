import JSON

struct PurgeCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "purge",
        abstract: "Delete everything in an application's /data.",
        discussion: "The application is stopped for it, and started again on an empty directory. There is no way back.",
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
        try await client.post("/v1/purge", ["appId": .integer(app), "force": .bool(force)])
        return ""
    }
}
