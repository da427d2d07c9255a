import Logging
import SupervisorCommandLine
import SupervisorVersion

/// The command line of `device-supervisor`.
struct CommandLineOptions: Equatable {
    /// nil reads the search path.
    var configurationFile: String?
    /// Make directories and exit.
    var prepares = false
    var logLevel = Logger.Level.info

    enum Outcome: Equatable {
        case run(CommandLineOptions)
        /// Print this and exit with 0.
        case print(String)
        /// Print this to standard error and exit with 64 (EX_USAGE of sysexits.h).
        case wrong(String)
    }

    private static let levels = Logger.Level.allCases.map(\.rawValue)

    private static let config = OptionSyntax(
        name: "config",
        value: ValueSyntax(name: "FILE", kind: .file),
        help: "Read only FILE and FILE.d/*.conf instead of the search path."
    )
    private static let logLevelOption = OptionSyntax(
        name: "log-level",
        value: ValueSyntax(name: "LEVEL", kind: .choice(levels)),
        help: "One of \(levels.joined(separator: ", ")). Default: info."
    )
    private static let prepare = OptionSyntax(
        name: "prepare",
        help: """
            Make the directories that containers bind, and exit; for a oneshot that is ordered before the container \
            engine.
            """
    )

    static let syntax = ProgramSyntax(
        name: "device-supervisor",
        abstract: "Run the containers of this device, guard them with an update lock and give them an HTTP API.",
        discussion: [
            """
            SIGTERM finishes the step under way and exits, containers run on; SIGHUP reads the configuration again.
            """
        ],
        seeAlso: "device-supervisor(8), device-supervisor.conf(5), superctl(1)",
        version: Version.text,
        options: [
            config, logLevelOption, prepare,
            OptionSyntax(name: "version", help: "Print the version and exit."),
            OptionSyntax(name: "help", letter: "h", help: "Print this and exit."),
        ]
    )

    static var help: String {
        HelpText.text(
            for: syntax,
            exitStatuses: [
                (0, "done"), (1, "it cannot run"), (64, "wrong usage"), (75, "another supervisor runs"),
                (78, "the configuration is wrong"),
            ]
        )
    }

    /// - Parameter arguments: without the program's name.
    static func parse(_ arguments: some Sequence<String>) -> Outcome {
        do throws(CommandLineError) {
            switch try CommandLineParser.parse(Array(arguments), syntax) {
            case .help: return .print(help + "\n")
            case .version: return .print("\(syntax.name) \(syntax.version)\n")
            case .run(_, let arguments): return .run(try CommandLineOptions(arguments))
            }
        } catch {
            return .wrong(error.message)
        }
    }
}

extension CommandLineOptions {
    private init(_ arguments: CommandArguments) throws(CommandLineError) {
        configurationFile = arguments.value(of: Self.config)
        prepares = arguments.has(Self.prepare)
        guard let text = arguments.value(of: Self.logLevelOption) else { return }
        guard let level = Logger.Level(rawValue: text) else {
            throw Self.syntax.wrong("--log-level needs one of \(Self.levels.joined(separator: ", "))")
        }
        logLevel = level
    }
}
