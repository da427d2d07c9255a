public struct CommandSyntax: Sendable, Hashable {
    public var name: String
    /// One sentence.
    public var abstract: String
    /// A paragraph; may be empty.
    public var discussion: String
    /// In their order, those that are required first.
    public var operands: [OperandSyntax]
    /// Besides those of the program.
    public var options: [OptionSyntax]
    /// What is said where there are too many operands; nil says the usage.
    public var surplus: String?

    public init(
        name: String,
        abstract: String,
        discussion: String = "",
        operands: [OperandSyntax] = [],
        options: [OptionSyntax] = [],
        surplus: String? = nil
    ) {
        self.name = name
        self.abstract = abstract
        self.discussion = discussion
        self.operands = operands
        self.options = options
        self.surplus = surplus
    }
}
