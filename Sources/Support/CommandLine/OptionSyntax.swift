/// An option's name means the same wherever it may stand.
public struct OptionSyntax: Sendable, Hashable {
    /// Without dashes.
    public var name: String
    /// As in -h.
    public var letter: Character?
    /// nil where it takes none.
    public var value: ValueSyntax?
    public var help: String

    public init(name: String, letter: Character? = nil, value: ValueSyntax? = nil, help: String) {
        self.name = name
        self.letter = letter
        self.value = value
        self.help = help
    }
}

extension OptionSyntax {
    /// For a program with commands.
    public static let help = OptionSyntax(
        name: "help",
        letter: "h",
        help: "Print help, for the program or for a command."
    )
    public static let version = OptionSyntax(name: "version", help: "Print the version.")
}
