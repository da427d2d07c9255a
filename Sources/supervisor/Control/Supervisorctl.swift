import ArgumentParser

@main
struct Supervisorctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervisorctl",
        abstract: "Look at the supervisor of this device, and control it.",
        discussion: """
            Talks to the supervisor over its control socket, which root and the members of the group supervisor may \
            use.

            EXIT STATUS
              0   done
              1   the operation failed, or the supervisor refused it
              64  wrong usage
              69  the supervisor cannot be reached, or went away before it answered
              75  not now: an update lock is held, or the supervisor is busy; try again
              77  no permission to use the control socket
            """,
        version: "0.1.0",
        subcommands: [
            StatusCommand.self, LocksCommand.self, UpdateCommand.self, RestartCommand.self, StopCommand.self,
            StartCommand.self, PurgeCommand.self, KeyCommand.self, ReloadCommand.self,
            PluginsCommand.self, CallCommand.self,
        ]
    )

    @OptionGroup var connection: ConnectionOptions

    /// Without a command. A script that lost its argument must not go on as if all were well.
    mutating func run() async throws {
        throw ValidationError("Name a command.")
    }
}

/// Where the supervisor is. May stand before or after the name of the command.
struct ConnectionOptions: ParsableArguments {
    static let standardSocket = "/run/supervisor/control.sock"

    @Option(
        name: .customLong("socket"),
        help: ArgumentHelp(
            "The control socket. (default: $SUPERVISOR_CONTROL_SOCKET, else \(standardSocket))",
            valueName: "path"
        )
    )
    var socket: String?
}
