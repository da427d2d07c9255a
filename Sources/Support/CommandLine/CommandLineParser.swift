/// Reads a command line by its syntax: a command, where the program has commands, and operands and options in any order. `--`
/// ends the options. Options are not to be abbreviated, so that a script means the same after there are more of them.
///
/// Ours because swift-argument-parser brings FoundationEssentials and two more libraries, 9 MB on disk, for what is some 400
/// lines over getopt_long(3) here; and the syntax, being data, is what help and completion are made of.
public struct CommandLineParser {
    public enum Outcome: Hashable, Sendable {
        /// nil for a program without commands.
        case run(command: String?, CommandArguments)
        /// nil: for the program.
        case help(command: String?)
        case version
    }

    private let program: ProgramSyntax
    /// The one whose operands and options are allowed.
    private var command: CommandSyntax?
    private var arguments = CommandArguments()

    /// - Parameter arguments: Without the program's name.
    public static func parse(_ arguments: [String], _ program: ProgramSyntax) throws(CommandLineError) -> Outcome {
        var parser = CommandLineParser(program)
        return try parser.outcome(OptionScan.items(in: arguments, options: program.everyOption))
    }

    private init(_ program: ProgramSyntax) {
        self.program = program
        command = program.wholeCommand
    }

    private mutating func outcome(_ items: [OptionScan.Item]) throws(CommandLineError) -> Outcome {
        for item in items {
            do throws(CommandLineError) {
                try take(item)
            } catch {
                // A request for help is answered, whatever is wrong after it.
                guard arguments.has(.help) || arguments.has(.version) else { throw error }
                break
            }
        }
        if arguments.has(.help) { return .help(command: named?.name) }
        if arguments.has(.version) { return .version }
        guard let command else { throw wrong("name a command") }
        if let missing = command.operands.dropFirst(arguments.operands.count).first, missing.isRequired {
            throw wrong("\(command.name) needs \(missing.name): \(command.usage(program))")
        }
        return .run(command: named?.name, arguments)
    }

    private mutating func take(_ item: OptionScan.Item) throws(CommandLineError) {
        switch item {
        case .operand(let text): try take(operand: text)
        case .option(let option, let value):
            guard allowed.contains(option) else { throw misplaced(option) }
            // A script whose variable is unset must not get the default for an absent operand.
            if let syntax = option.value, !syntax.mayBeEmpty, value?.isEmpty != false { throw needsValue(option) }
            arguments.options.append(.init(name: option.name, value: value ?? ""))
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

    private mutating func take(operand text: String) throws(CommandLineError) {
        guard let command else {
            command = try program.command(called: text)
            return
        }
        guard arguments.operands.count < command.operands.count else {
            let why = command.surplus ?? command.usage(program)
            throw wrong("\(TerminalText.safe(text)) is one argument too many: \(why)")
        }
        arguments.operands.append(text)
    }

    /// nil for a program without commands, and before the name of the command.
    private var named: CommandSyntax? { program.commands.isEmpty ? nil : command }

    private var allowed: [OptionSyntax] { (command?.options ?? []) + program.options }

    private func needsValue(_ option: OptionSyntax) -> CommandLineError {
        wrong("--\(option.name) needs a value: \(option.usage)")
    }

    private func misplaced(_ option: OptionSyntax) -> CommandLineError {
        guard let command else { return wrong("--\(option.name) goes after the name of a command") }
        return wrong("\(command.name) has no option --\(option.name)")
    }

    private func wrong(_ what: String) -> CommandLineError { program.wrong(what, in: named) }
}
