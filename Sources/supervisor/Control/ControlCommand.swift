import SupervisorCommandLine

/// A command that asks the supervisor for something.
protocol ControlCommand: Sendable {
    static var syntax: CommandSyntax { get }

    /// `arguments` are as the syntax says.
    init(_ arguments: CommandArguments)

    /// Does it, and returns what goes to standard output.
    func act(_ client: ControlClient) async throws(ControlError) -> String
}
