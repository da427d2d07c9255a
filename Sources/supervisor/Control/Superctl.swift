import Glibc
import SupervisorVersion

@main
struct Superctl {
    static let standardSocket = "/run/device-supervisor/control.sock"

    /// In the order of the help.
    static let commands: [any ControlCommand.Type] = [
        StatusCommand.self, EventsCommand.self, LogsCommand.self, LocksCommand.self, UpdateCommand.self,
        RestartCommand.self, StopCommand.self, StartCommand.self, PurgeCommand.self, VolumesCommand.self,
        RebootCommand.self, PowerOffCommand.self, KeyCommand.self, ConfigCommand.self, ReloadCommand.self,
        PluginsCommand.self, CallCommand.self, CompletionCommand.self, HelpCommand.self,
    ]

    static let syntax = ProgramSyntax(
        name: "superctl",
        abstract: "Look at the supervisor of this device, and control it.",
        discussion: [
            """
            Talks to the supervisor over its control socket, which root and the members of the group device-supervisor may \
            use.
            """
        ],
        version: Version.text,
        options: [.socket, .version, .help],
        commands: commands.map { $0.syntax }
    )

    static func main() async {
        do throws(ControlFailure) {
            let output = try await run(Array(CommandLine.arguments.dropFirst()))
            if !output.isEmpty { Terminal.write(output + "\n") }
        } catch {
            if !error.message.isEmpty {
                Terminal.write("superctl: \(error.message)\n", to: STDERR_FILENO)
            }
            exit(error.kind.rawValue)
        }
    }

    /// What goes to standard output.
    private static func run(_ arguments: [String]) async throws(ControlFailure) -> String {
        switch try CommandLineParser.parse(arguments, syntax) {
        case .version: return syntax.version
        case .help(let command): return try help(command)
        case .run(let name, let arguments):
            guard let command = commands.first(where: { $0.syntax.name == name }) else { return try help(name) }
            return try await command.init(arguments).act(ControlClient(socket: socket(arguments)))
        }
    }

    /// Help for a command, or for the program.
    static func help(_ command: String?) throws(ControlFailure) -> String {
        if let command { return HelpText.text(for: try syntax.command(called: command), of: syntax) }
        let statuses = [(Int32(0), "done")] + ControlFailure.Kind.allCases.map { ($0.rawValue, $0.meaning) }
        return HelpText.text(for: syntax, exitStatuses: statuses)
    }

    private static func socket(_ arguments: CommandArguments) -> String {
        if let path = arguments.value(of: .socket) { return path }
        let environment = getenv("SUPERVISOR_CONTROL_SOCKET").map { String(cString: $0) } ?? ""
        return environment.isEmpty ? standardSocket : environment
    }
}

extension OptionSyntax {
    static let socket = OptionSyntax(
        name: "socket",
        value: ValueSyntax(name: "PATH", kind: .file),
        help: "The control socket. Default: $SUPERVISOR_CONTROL_SOCKET, else \(Superctl.standardSocket)."
    )
    static let json = OptionSyntax(name: "json", help: "Print the supervisor's answer as JSON, on one line.")
    static let wait = OptionSyntax(
        name: "wait",
        help: "Return when the check is through, or, for locks, when none is held any more."
    )
    static let force = OptionSyntax(name: "force", help: "Go ahead even if an update lock is held.")
}
