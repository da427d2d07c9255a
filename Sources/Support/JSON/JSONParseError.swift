/// Why bytes are not the JSON that was asked for.
public struct JSONParseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, without the input's text.
    public var reason: String
    /// Offset in bytes from the start of the input.
    public var offset: Int
    /// 1-based line, and 1-based column in bytes.
    public var line: Int
    public var column: Int

    public var description: String { "line \(line), column \(column): \(reason)" }
}
