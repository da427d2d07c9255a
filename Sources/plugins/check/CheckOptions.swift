import SupervisorCommandLine
import SupervisorPluginAPI

/// The command line of `supervisor-plugin-check`.
struct CheckOptions: Equatable {
    /// Path of an executable, or of a socket.
    var target = ""
    var isSocket = false
    /// The name that it must report; nil accepts any.
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

    /// - Parameter arguments: without the program's name.
    static func parse(_ arguments: some Sequence<String>) -> Outcome {
        do throws(CommandLineError) {
            switch try CommandLineParser.parse(Array(arguments), syntax) {
            case .help, .version: return .print(help + "\n")
            case .run(_, let arguments) where arguments.has(list): return .print(Checks.list)
            case .run(_, let arguments): return .run(try CheckOptions(arguments))
            }
        } catch {
            return .wrong(error.message)
        }
    }

    private init(_ arguments: CommandArguments) throws(CommandLineError) {
        for path in arguments.operands { try take(target: path, isSocket: false) }
        for option in arguments.options { try take(option.name, option.value) }
        guard !target.isEmpty else { throw Self.syntax.wrong("which plugin?") }
    }

    private mutating func take(target path: String, isSocket: Bool) throws(CommandLineError) {
        guard target.isEmpty else {
            throw Self.syntax.wrong("\(TerminalText.safe(path)): \(Self.oneAtATime)")
        }
        target = path
        self.isSocket = isSocket
    }

    private mutating func take(_ option: String, _ value: String) throws(CommandLineError) {
        switch option {
        case "socket": try take(target: value, isSocket: true)
        case "name": name = value
        case "device-type": deviceType = value
        case "only": only.append(value)
        case "allow": calls[value] = Contract.parameters[value] ?? [:]
        case "setting":
            guard let (key, value) = Self.pair(value) else { throw Self.syntax.wrong("--setting needs KEY=VALUE") }
            settings[key] = value
        case "call":
            guard let (operation, text) = Self.pair(value), let json = try? JSONValue(parsing: text).objectValue else {
                throw Self.syntax.wrong("--call needs OPERATION=JSON, the JSON an object")
            }
            calls[operation] = json
        case "timeout":
            guard let seconds = Double(value), (0.1...600).contains(seconds) else {
                throw Self.syntax.wrong("--timeout needs seconds, 0.1 to 600")
            }
            timeout = Int64(seconds * 1000)
        default: break
        }
    }

    private static func pair(_ text: String) -> (String, String)? {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex else { return nil }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }
}
