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

extension JSONValue {
    /// What a parser bears.
    public struct Limits: Sendable, Hashable {
        /// How deep arrays and objects may nest.
        public var depth: Int
        /// Length of the whole input in bytes.
        public var size: Int

        public init(depth: Int = 64, size: Int = 1 << 20) {
            self.depth = depth
            self.size = size
        }
    }

    /// Parses one JSON text; anything but white space after it is an error.
    public init(parsing bytes: some Sequence<UInt8>, limits: Limits = Limits()) throws(JSONParseError) {
        throw JSONParseError(reason: "not written yet", offset: 0, line: 1, column: 1)
    }

    /// Parses one JSON text in UTF-8.
    public init(parsing text: String, limits: Limits = Limits()) throws(JSONParseError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }
}
