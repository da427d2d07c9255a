import SupervisorCommandLine

struct KeyCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "key",
        abstract: "Print the key of the HTTP API.",
        discussion: """
            With --regenerate the former key becomes invalid at once; applications get the new one with their next \
            update cycle, which respects update locks.
            """,
        options: [.regenerate]
    )

    private let regenerate: Bool

    init(_ arguments: CommandArguments) {
        regenerate = arguments.has(.regenerate)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let key =
            regenerate ? try await client.post("/v1/regenerate-api-key") : try await client.get("/control/key")
        return String(decoding: key, as: UTF8.self)
    }
}

extension OptionSyntax {
    fileprivate static let regenerate = OptionSyntax(name: "regenerate", help: "Replace the key first.")
}
