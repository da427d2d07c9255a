import ArgumentParser

struct KeyCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Print the key of the HTTP API.",
        discussion: """
            With --regenerate the former key is dead at once; applications get the new one with their next update \
            cycle, which honours update locks.
            """
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Replace the key first.")
    var regenerate = false

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let key =
            regenerate ? try await client.post("/v1/regenerate-api-key") : try await client.get("/control/key")
        return String(decoding: key, as: UTF8.self)
    }
}
