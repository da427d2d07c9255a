public struct OperandSyntax: Sendable, Hashable {
    /// As the help shows it: PARAMETERS.
    public var name: String
    public var kind: ValueKind
    public var isRequired: Bool
    public var help: String

    public init(name: String, kind: ValueKind, isRequired: Bool = false, help: String) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
        self.help = help
    }
}
