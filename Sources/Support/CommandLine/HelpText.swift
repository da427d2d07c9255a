/// What --help prints, for a screen of 80 columns.
public enum HelpText {
    private static let width = 80

    public static func text(for program: ProgramSyntax, exitStatuses: [(code: Int32, meaning: String)]) -> String {
        let commands = program.commands.map { (($0.name), $0.abstract) }
        return paragraphs(
            [TerminalText.wrapped(program.abstract, width: width), usage(program)]
                + [section("Commands", commands)]
                + [section("Arguments", program.operands.map { ($0.name, $0.help) })]
                + [section("Options", options(program.options))]
                + program.discussion.map { TerminalText.wrapped($0, width: width) }
                + [section("Exit status", exitStatuses.map { ("\($0.code)", $0.meaning) })]
                + [["See \(program.seeAlso)"]]
        )
    }

    private static func usage(_ program: ProgramSyntax) -> [String] {
        let lead = "Usage: "
        guard let first = program.usages.first else {
            let usage = program.wholeCommand?.usage(program) ?? commandUsage(program)
            return TerminalText.wrapped(usage, lead: lead, width: width)
        }
        let indent = String(repeating: " ", count: lead.count)
        return [lead + first] + program.usages.dropFirst().map { indent + $0 }
    }

    private static func commandUsage(_ program: ProgramSyntax) -> String {
        ([program.name] + program.options.filter { $0.value != nil }.map { "[\($0.usage)]" }
            + ["COMMAND [ARGUMENT...]"]).joined(separator: " ")
    }

    public static func text(for command: CommandSyntax, of program: ProgramSyntax) -> String {
        paragraphs(
            [[command.abstract]]
                + [TerminalText.wrapped(command.usage(program), lead: "Usage: ", width: width)]
                + [section("Arguments", command.operands.map { ($0.name, $0.help) })]
                + [section("Options", options(command.options + program.options))]
                + [TerminalText.wrapped(command.discussion, width: width)]
        )
    }

    private static func options(_ options: [OptionSyntax]) -> [(String, String)] {
        options.map { option in ((option.letter.map { "-\($0), " } ?? "") + option.usage, option.help) }
    }

    /// Names with their texts beside them; nothing where there are none.
    private static func section(_ title: String, _ rows: [(name: String, text: String)]) -> [String] {
        guard let widest = rows.map(\.name.count).max() else { return [] }
        let column = widest + 4
        return ["\(title):"]
            + rows.flatMap { row in
                let lead = "  " + row.name + String(repeating: " ", count: column - 2 - row.name.count)
                return TerminalText.wrapped(row.text, lead: lead, width: width)
            }
    }

    private static func paragraphs(_ paragraphs: [[String]]) -> String {
        paragraphs.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }
}

extension OptionSyntax {
    /// As it is to be written: --socket PATH.
    public var usage: String { "--\(name)" + (value.map { " \($0.name)" } ?? "") }
}

extension CommandSyntax {
    /// As it is to be written, without the options of a program that has commands.
    func usage(_ program: ProgramSyntax) -> String {
        let operands = operands.map { $0.isRequired ? $0.name : "[\($0.name)]" }
        let own = options.map { "[\($0.usage)]" }
        guard program.commands.isEmpty else {
            return ([program.name, name] + operands + own).joined(separator: " ")
        }
        let all = program.options.filter { !["help", "version"].contains($0.name) }.map { "[\($0.usage)]" }
        return ([program.name] + all + operands).joined(separator: " ")
    }
}
