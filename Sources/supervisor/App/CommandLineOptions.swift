import Logging
import SupervisorVersion

/// What `device-supervisor` was started with.
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

    static let help = """
        Usage: device-supervisor [--config FILE] [--log-level LEVEL] [--prepare]

        Runs the containers of this device, guards them with an update lock and gives them an HTTP API.

          --config FILE      read only FILE and FILE.d/*.conf instead of the search path
          --log-level LEVEL  one of \(levels) (default: info)
          --prepare          make the directories that containers bind, and exit; for a oneshot that is
                             ordered before the container engine
          --version          print the version and exit
          --help             print this and exit

        Signals: SIGTERM finishes the step under way and exits, containers run on; SIGHUP reads the configuration
        again. Exit status: 0; 1 when it cannot run; 64 wrong use; 75 when another supervisor runs; 78 wrong
        configuration.

        See device-supervisor(8), device-supervisor.conf(5), superctl(1).

        """

    private static let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")

    /// - Parameter arguments: without the program's name.
    static func parse(_ arguments: some Sequence<String>) -> Outcome {
        var options = CommandLineOptions()
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            func value() -> String? { parts.count > 1 ? String(parts[1]) : iterator.next() }
            switch parts[0] {
            case "--config":
                guard let file = value(), !file.isEmpty else { return .wrong("--config needs a file") }
                options.configurationFile = file
            case "--log-level":
                guard let text = value(), let level = Logger.Level(rawValue: text) else {
                    return .wrong("--log-level needs one of \(levels)")
                }
                options.logLevel = level
            case "--prepare": options.prepares = true
            case "--version": return .print("device-supervisor \(Version.text)\n")
            case "--help", "-h": return .print(help)
            default: return .wrong("\(argument) is unknown; see device-supervisor --help")
            }
        }
        return .run(options)
    }
}
