extension JSONValue {
    /// Limits on what a parser accepts.
    public struct Limits: Sendable, Hashable {
        /// How deep arrays and objects may nest; 0 allows neither. More than 512 counts as 512, because whatever walks
        /// a value (comparing, writing, releasing it) takes stack for each level.
        public var depth: Int
        /// Length of the whole input in bytes.
        public var size: Int

        public init(depth: Int = 64, size: Int = 1 << 20) {
            self.depth = depth
            self.size = size
        }
    }

    /// Parses one JSON text as RFC 8259 defines it; anything but white space after it is an error.
    ///
    /// Where the RFC leaves a choice:
    /// - The text is UTF-8 without a byte order mark. Overlong forms, encoded surrogates and truncated sequences are
    ///   refused, never repaired.
    /// - Two members of one object with the same name are refused. Names are the same if their code units are, so é
    ///   composed and é decomposed are two names.
    /// - A number without fraction and exponent that fits 64 bits is `.integer`, `-0` being 0. Every other number is the
    ///   `.double` next to it; one too large for a double is refused, one too small is zero.
    /// - `\u0000` is a character like any other. An escape that is half of a surrogate pair is refused.
    public init(parsing bytes: some Sequence<UInt8>, limits: Limits = Limits()) throws(JSONParseError) {
        var parser = JSONParser(Self.start(of: bytes, upTo: limits.size), limits: limits)
        self = try parser.parse()
    }

    /// Parses one JSON text in UTF-8.
    public init(parsing text: String, limits: Limits = Limits()) throws(JSONParseError) {
        try self.init(parsing: text.utf8, limits: limits)
    }

    /// Parses the JSON text of a file that people write: a byte order mark before it, which some editors write, is ignored (RFC
    /// 8259, section 8.1). Lines and columns of errors are those after it.
    public init(parsingFile bytes: [UInt8], limits: Limits = Limits()) throws(JSONParseError) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        try self.init(parsing: bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...], limits: limits)
    }

    /// The input, or so much of it that it is seen to be too long: a sequence need not have an end.
    private static func start(of bytes: some Sequence<UInt8>, upTo size: Int) -> [UInt8] {
        let bound = max(0, min(size, .max - 1)) + 1
        if let whole = bytes.withContiguousStorageIfAvailable({ Array($0.prefix(bound)) }) { return whole }
        return Array(bytes.prefix(bound))
    }
}
