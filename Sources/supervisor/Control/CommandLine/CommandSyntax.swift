/// What the command line of a program may be, as data: the parser, the help and shell completions read it.
struct ProgramSyntax: Sendable, Hashable {
    var name: String
    /// One sentence.
    var abstract: String
    /// Paragraphs.
    var discussion: [String]
    var version: String
    /// May stand before the command and after it.
    var options: [OptionSyntax]
    var commands: [CommandSyntax]

    /// Each once, with those of commands.
    var everyOption: [OptionSyntax] {
        commands.flatMap(\.options).reduce(into: options) { options, option in
            if !options.contains(where: { $0.name == option.name }) { options.append(option) }
        }
    }
}

struct CommandSyntax: Sendable, Hashable {
    var name: String
    /// One sentence.
    var abstract: String
    /// A paragraph; may be empty.
    var discussion = ""
    /// In their order, those that are required first.
    var operands: [OperandSyntax] = []
    /// Besides those of the program.
    var options: [OptionSyntax] = []
}

struct OperandSyntax: Sendable, Hashable {
    /// As the help shows it: PARAMETERS.
    var name: String
    var kind: ValueKind
    var isRequired = false
    var help: String
}

/// An option's name means the same wherever it may stand.
struct OptionSyntax: Sendable, Hashable {
    /// Without dashes.
    var name: String
    /// As in -h.
    var letter: Character?
    /// nil where it takes none.
    var value: ValueSyntax?
    var help: String
}

struct ValueSyntax: Sendable, Hashable {
    /// As the help shows it: PATH.
    var name: String
    var kind: ValueKind
}

/// What a shell may complete a value with.
enum ValueKind: Sendable, Hashable {
    /// A number or name among `apps` of `superctl status --json`.
    case application
    /// One of these words.
    case choice([String])
    /// The name of a command of this program.
    case command
    case file
    /// Nothing to choose from.
    case json
    /// Among `provides` of `superctl plugins --json`.
    case operation
    /// The name of a service of the application that is named before it.
    case service
    /// Nothing to choose from.
    case text
}

extension OptionSyntax {
    static let help = OptionSyntax(name: "help", letter: "h", help: "Print help, for the program or for a command.")
    static let version = OptionSyntax(name: "version", help: "Print the version.")
}
