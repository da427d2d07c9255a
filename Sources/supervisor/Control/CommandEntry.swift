import SupervisorCommandLine

/// A command in superctl's table.
struct CommandEntry: Sendable {
    let syntax: CommandSyntax
    /// Does it, and returns what goes to standard output. The arguments are as the syntax says.
    let act: @Sendable (CommandArguments, ControlClient) async throws(ControlError) -> String

    init<Command: ControlCommand>(_ type: Command.Type) {
        syntax = Command.syntax
        act = { arguments, client async throws(ControlError) in try await Command(arguments).act(client) }
    }

    init(_ command: AppCommand) {
        syntax = command.syntax
        act = { arguments, client async throws(ControlError) in try await command.act(arguments, client) }
    }
}
