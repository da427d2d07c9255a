public struct ValueSyntax: Sendable, Hashable {
    /// As the help shows it: PATH.
    public var name: String
    public var kind: ValueKind
    /// Otherwise an empty value is refused, as a missing one is.
    public var mayBeEmpty: Bool

    public init(name: String, kind: ValueKind, mayBeEmpty: Bool = false) {
        self.name = name
        self.kind = kind
        self.mayBeEmpty = mayBeEmpty
    }
}
