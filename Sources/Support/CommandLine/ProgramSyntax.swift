/// The syntax of a program's command line, as data for the parser, the help and the shell completions.
public struct ProgramSyntax: Sendable, Hashable {
    public var name: String
    /// One sentence.
    public var abstract: String
    /// Paragraphs.
    public var discussion: [String]
    /// The last line of the help: what to read next.
    public var seeAlso: String
    /// Empty for a program without an option for it.
    public var version: String
    /// May stand before the command and after it.
    public var options: [OptionSyntax]
    /// Empty for a program that does one thing.
    public var commands: [CommandSyntax]
    /// Of a program without commands: in their order, those that are required first.
    public var operands: [OperandSyntax]
    /// Of a program without commands: what is said where there are too many operands; nil says the usage.
    public var surplus: String?
    /// As the help shows it, one line each; empty for what follows from the rest.
    public var usages: [String]

    public init(
        name: String,
        abstract: String,
        discussion: [String],
        seeAlso: String,
        version: String = "",
        options: [OptionSyntax],
        commands: [CommandSyntax] = [],
        operands: [OperandSyntax] = [],
        surplus: String? = nil,
        usages: [String] = []
    ) {
        self.name = name
        self.abstract = abstract
        self.discussion = discussion
        self.seeAlso = seeAlso
        self.version = version
        self.options = options
        self.commands = commands
        self.operands = operands
        self.surplus = surplus
        self.usages = usages
    }

    /// Each once, with those of commands.
    public var everyOption: [OptionSyntax] {
        commands.flatMap(\.options).reduce(into: options) { options, option in
            if !options.contains(where: { $0.name == option.name }) { options.append(option) }
        }
    }

    /// A program without commands as its only command; nil for another.
    var wholeCommand: CommandSyntax? {
        guard commands.isEmpty else { return nil }
        return CommandSyntax(name: name, abstract: abstract, operands: operands, surplus: surplus)
    }
}
