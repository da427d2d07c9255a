import CLinux
import Glibc
import Synchronization

/// Reads a command line by its syntax: a command, and its operands and options in any order. `--` ends the options. Options
/// are not to be abbreviated, so that a script means the same after there are more of them.
struct CommandLineParser {
    enum Outcome: Hashable {
        case run(command: String, CommandArguments)
        /// nil: for the program.
        case help(command: String?)
        case version
    }

    private let program: ProgramSyntax
    private var command: CommandSyntax?
    private var arguments = CommandArguments()

    /// - Parameter arguments: Without the program's name.
    /// - Throws: Usage, with one line of what is wrong and one of where to look.
    static func parse(_ arguments: [String], _ program: ProgramSyntax) throws(ControlFailure) -> Outcome {
        var parser = CommandLineParser(program)
        return try parser.outcome(OptionScan.findings(in: arguments, options: program.everyOption))
    }

    private init(_ program: ProgramSyntax) {
        self.program = program
    }

    private mutating func outcome(_ findings: [OptionScan.Finding]) throws(ControlFailure) -> Outcome {
        for finding in findings {
            do throws(ControlFailure) {
                try take(finding)
            } catch {
                // Who asks for help is not told what was wrong after that.
                guard arguments.has(.help) || arguments.has(.version) else { throw error }
                break
            }
        }
        if arguments.has(.help) { return .help(command: command?.name) }
        if arguments.has(.version) { return .version }
        guard let command else { throw wrong("name a command") }
        if let missing = command.operands.dropFirst(arguments.operands.count).first, missing.isRequired {
            throw wrong("\(command.name) needs \(missing.name): \(command.usage(program))")
        }
        return .run(command: command.name, arguments)
    }

    private mutating func take(_ finding: OptionScan.Finding) throws(ControlFailure) {
        switch finding {
        case .operand(let text): try take(operand: text)
        case .option(let option, let value):
            guard allowed.contains(option) else { throw misplaced(option) }
            // A script whose variable is unset does not get what stands for nothing.
            guard option.value == nil || value?.isEmpty == false else { throw needsValue(option) }
            arguments.options[option.name] = value ?? ""
        case .missingValue(let option):
            guard allowed.contains(option) else { throw misplaced(option) }
            throw needsValue(option)
        case .unwantedValue(let option):
            guard allowed.contains(option) else { throw misplaced(option) }
            throw wrong("--\(option.name) takes no value")
        case .unknown(let written):
            let near = Suggestion.text(for: written, among: allowed.map { "--\($0.name)" })
            throw wrong("there is no option \(TerminalText.safe(written))\(near)")
        }
    }

    private mutating func take(operand text: String) throws(ControlFailure) {
        guard let command else {
            command = try program.command(called: text)
            return
        }
        guard arguments.operands.count < command.operands.count else {
            throw wrong("\(TerminalText.safe(text)) is one argument too many: \(command.usage(program))")
        }
        arguments.operands.append(text)
    }

    private var allowed: [OptionSyntax] { (command?.options ?? []) + program.options }

    private func needsValue(_ option: OptionSyntax) -> ControlFailure {
        wrong("--\(option.name) needs a value: \(option.usage)")
    }

    private func misplaced(_ option: OptionSyntax) -> ControlFailure {
        guard let command else { return wrong("--\(option.name) goes after the name of a command") }
        return wrong("\(command.name) has no option --\(option.name)")
    }

    private func wrong(_ what: String) -> ControlFailure { program.wrong(what, in: command) }
}

extension ProgramSyntax {
    func wrong(_ what: String, in command: CommandSyntax?) -> ControlFailure {
        ControlFailure(
            .usage,
            "\(what)\nSee \(([name] + [command?.name].compactMap(\.self)).joined(separator: " ")) --help"
        )
    }

    func command(called name: String) throws(ControlFailure) -> CommandSyntax {
        if let command = commands.first(where: { $0.name == name }) { return command }
        let near = Suggestion.text(for: name, among: commands.map(\.name))
        throw wrong("there is no command \(TerminalText.safe(name))\(near)", in: nil)
    }
}

/// The options and operands of a command line in their order, found by getopt_long(3).
enum OptionScan {
    enum Finding: Hashable {
        case operand(String)
        /// The value is nil where the option takes none.
        case option(OptionSyntax, value: String?)
        case missingValue(OptionSyntax)
        case unwantedValue(OptionSyntax)
        /// As written, without its value.
        case unknown(String)

        fileprivate var isFault: Bool {
            switch self {
            case .operand, .option: false
            case .missingValue, .unwantedValue, .unknown: true
            }
        }
    }

    /// getopt_long(3) keeps its place in variables of the process.
    private static let turn = Mutex(())
    /// What getopt_long(3) answers for long options: their place in the table from here on. Below are the letters.
    private static let firstLongOption: Int32 = 256
    private static let nothingMore: Int32 = -1
    private static let operand: Int32 = 1

    /// Up to the first fault. No two options have the same name or letter.
    static func findings(in arguments: [String], options: [OptionSyntax]) -> [Finding] {
        turn.withLock { _ in scan(arguments, options) }
    }

    private static func scan(_ arguments: [String], _ options: [OptionSyntax]) -> [Finding] {
        let names = options.map { strdup($0.name) }
        // Not read by getopt_long(3), which begins after it.
        let words = [strdup("")] + arguments.map { strdup($0) } + [nil]
        defer { (names + words).forEach { free($0) } }
        let table =
            zip(options, names).enumerated().map { index, entry in
                option(
                    name: UnsafePointer(entry.1),
                    has_arg: entry.0.value == nil ? no_argument : required_argument,
                    flag: nil,
                    val: firstLongOption + Int32(index)
                )
            } + [option()]
        // "-": operands in their place among the options. ":": a missing value has an answer of its own.
        let letters = options.reduce(into: "-:") { letters, option in
            guard let letter = option.letter else { return }
            letters += option.value == nil ? "\(letter)" : "\(letter):"
        }

        var findings: [Finding] = []
        var state = clinux_getopt_state(next: 1, culprit: 0, value: nil)
        clinux_getopt_restart()
        while findings.last?.isFault != true {
            let place = Int(state.next)
            let code = clinux_getopt_long(Int32(words.count - 1), words, letters, table, &state)
            guard code != nothingMore else {
                findings += arguments[(Int(state.next) - 1)...].map(Finding.operand)
                break
            }
            let value = state.value.map { String(cString: $0) }
            findings.append(finding(code, state.culprit, written: arguments[place - 1], value, options))
        }
        return findings
    }

    private static func finding(
        _ code: Int32,
        _ culprit: Int32,
        written: String,
        _ value: String?,
        _ options: [OptionSyntax]
    ) -> Finding {
        if code == operand { return .operand(written) }
        let isFault = code == Int32(UInt8(ascii: "?")) || code == Int32(UInt8(ascii: ":"))
        let name = written.utf8.starts(with: "--".utf8) ? String(written.prefix { $0 != "=" }) : written
        guard let option = named(by: isFault ? culprit : code, written: name, options) else { return .unknown(name) }
        return switch code {
        case Int32(UInt8(ascii: ":")): .missingValue(option)
        case Int32(UInt8(ascii: "?")): .unwantedValue(option)
        default: .option(option, value: option.value == nil ? nil : value)
        }
    }

    /// The option that getopt_long(3) means by `code`; nil where it took an abbreviation for it.
    private static func named(by code: Int32, written: String, _ options: [OptionSyntax]) -> OptionSyntax? {
        guard code >= firstLongOption else {
            return options.first { $0.letter?.asciiValue.map(Int32.init) == code }
        }
        let option = options[Int(code - firstLongOption)]
        return written == "--\(option.name)" ? option : nil
    }
}
