import Glibc
import SupervisorCommandLine
import SupervisorVersion

@main
struct Superctl {
    static let standardSocket = "/run/device-supervisor/control.sock"

    /// In the order of the help.
    static let commands = [
        CommandEntry(StatusCommand.self), CommandEntry(EventsCommand.self), CommandEntry(LogsCommand.self),
        CommandEntry(LocksCommand.self), CommandEntry(UpdateCommand.self), CommandEntry(.restart), CommandEntry(.stop),
        CommandEntry(.start), CommandEntry(.purge), CommandEntry(VolumesCommand.self), CommandEntry(RebootCommand.self),
        CommandEntry(PowerOffCommand.self), CommandEntry(KeyCommand.self), CommandEntry(ConfigCommand.self),
        CommandEntry(ReloadCommand.self), CommandEntry(PluginsCommand.self), CommandEntry(CallCommand.self),
        CommandEntry(UplinkCommand.self),
        CommandEntry(CompletionCommand.self), CommandEntry(HelpCommand.self),
    ]

    static let syntax = ProgramSyntax(
        name: "superctl",
        abstract: "Show and control the supervisor of this device.",
        discussion: [
            """
            Talks to the supervisor over its control socket. Only root and the members of the group device-supervisor \
            can use this socket.
            """
        ],
        seeAlso: "superctl COMMAND --help, superctl(1)",
        version: Version.text,
        options: [.socket, .version, .help],
        commands: commands.map(\.syntax)
    )

    static func main() async {
        do throws(ControlError) {
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
    private static func run(_ arguments: [String]) async throws(ControlError) -> String {
        switch try parse(arguments) {
        case .version: return syntax.version
        case .help(let command): return try help(command)
        case .run(let name, let arguments):
            guard let command = commands.first(where: { $0.syntax.name == name }) else { return try help(name) }
            return try await command.act(arguments, ControlClient(socket: socket(arguments)))
        }
    }

    static func parse(_ arguments: [String]) throws(ControlError) -> CommandLineParser.Outcome {
        do throws(CommandLineError) {
            return try CommandLineParser.parse(arguments, syntax)
        } catch {
            throw ControlError(error)
        }
    }

    /// Help for a command, or for the program.
    static func help(_ command: String?) throws(ControlError) -> String {
        if let command {
            do throws(CommandLineError) {
                return HelpText.text(for: try syntax.command(called: command), of: syntax)
            } catch {
                throw ControlError(error)
            }
        }
        let statuses = [(Int32(0), "done")] + ControlError.Kind.allCases.map { ($0.rawValue, $0.meaning) }
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
        help: "Return when the check is complete or, for locks, when no lock is held any more."
    )
    static let force = OptionSyntax(name: "force", help: "Proceed even if an update lock is held.")
}
