import SupervisorCommandLine

struct HelpCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "help",
        abstract: "Print help, for the program or for a command.",
        operands: [OperandSyntax(name: "COMMAND", kind: .command, help: "The command to explain.")]
    )

    private let command: String?

    init(_ arguments: CommandArguments) {
        command = arguments.operands.first
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        try Superctl.help(command)
    }
}
