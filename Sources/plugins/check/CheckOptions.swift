import SupervisorPluginAPI

/// What `supervisor-plugin-check` was started with.
struct CheckOptions: Equatable {
    /// Path of an executable, or of a socket.
    var target = ""
    var isSocket = false
    /// What it must call itself; nil takes any name.
    var name: String?
    var settings: [String: String] = [:]
    var deviceType = ""
    /// Operations that may be called though they change the host, with their params.
    var calls: [String: JSONObject] = [:]
    /// Milliseconds for every answer.
    var timeout: Int64 = 5000
    /// Prefixes of ids; empty is everything.
    var only: [String] = []

    enum Outcome: Equatable {
        case run(CheckOptions)
        /// Print this and exit with 0.
        case print(String)
        /// Print this to standard error and exit with 64 (EX_USAGE of sysexits.h).
        case wrong(String)
    }

    static let help = """
        Usage: supervisor-plugin-check [OPTION]... EXECUTABLE
               supervisor-plugin-check [OPTION]... --socket PATH

        Tests a plugin from outside against the plugin protocol (docs/plugin-protocol.md). Each check starts the
        plugin anew. The output is TAP 14; the ids of the checks are stable.

          --socket PATH         connect to this unix socket instead of starting an executable; what needs the process
                                (its exit status, signals, a terminal) is skipped
          --name NAME           what the plugin must call itself, as in its manifest
          --setting KEY=VALUE   one of [Settings] of its manifest; may be repeated
          --device-type TYPE    handed over in the handshake (default: empty)
          --allow OPERATION     call this operation, although it may change the host; may be repeated
          --call OPERATION=JSON the same, with these params; one that takes long tests more
          --timeout SECONDS     for every answer (default: 5)
          --only PREFIX         only the checks whose ids begin so; may be repeated
          --list                print the ids, what each checks, and exit
          --help                print this and exit

        Without --allow and --call only plugin.* and idempotent operations that read (*.get, *.status) are called.

        Exit status: 0 when nothing failed, 1 when something did, 64 for wrong use.

        """

    /// - Parameter arguments: without the program's name.
    static func parse(_ arguments: some Sequence<String>) -> Outcome {
        var options = CheckOptions()
        var iterator = arguments.makeIterator()
        var takesOptions = true
        while let argument = iterator.next() {
            guard takesOptions, argument.first == "-" else {
                guard options.target.isEmpty else { return .wrong("\(argument): one plugin at a time") }
                options.target = argument
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let option = String(parts[0])
            switch option {
            case "--help", "-h": return .print(help)
            case "--list": return .print(Checks.list)
            case "--": takesOptions = false
            default:
                guard let value = parts.count > 1 ? String(parts[1]) : iterator.next() else {
                    return .wrong("\(option) is unknown or needs a value; see supervisor-plugin-check --help")
                }
                if let problem = options.take(option, value) { return .wrong(problem) }
            }
        }
        guard !options.target.isEmpty else { return .wrong("which plugin? see supervisor-plugin-check --help") }
        return .run(options)
    }

    /// Returns what is wrong.
    private mutating func take(_ option: String, _ value: String) -> String? {
        switch option {
        case "--socket":
            guard target.isEmpty else { return "\(value): one plugin at a time" }
            target = value
            isSocket = true
        case "--name": name = value
        case "--device-type": deviceType = value
        case "--only": only.append(value)
        case "--allow": calls[value] = Contract.parameters[value] ?? [:]
        case "--setting":
            guard let (key, value) = Self.pair(value) else { return "--setting needs KEY=VALUE" }
            settings[key] = value
        case "--call":
            guard let (operation, text) = Self.pair(value), let json = try? JSONValue(parsing: text).objectValue else {
                return "--call needs OPERATION=JSON, the JSON an object"
            }
            calls[operation] = json
        case "--timeout":
            guard let seconds = Double(value), (0.1...600).contains(seconds) else {
                return "--timeout needs seconds, 0.1 to 600"
            }
            timeout = Int64(seconds * 1000)
        default: return "\(option) is unknown; see supervisor-plugin-check --help"
        }
        return nil
    }

    private static func pair(_ text: String) -> (String, String)? {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex else { return nil }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }
}
