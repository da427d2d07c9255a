/// Why a file, or a value in it, is not accepted.
public struct UnitFileError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        let rawValue: String

        /// The file cannot be opened or read, is too large, or is no regular file.
        public static let unreadable = Code(rawValue: "unreadable")
        /// The file is not in the syntax of systemd.syntax(7), or not text at all.
        public static let malformed = Code(rawValue: "malformed")
        /// A value is not of the kind that its key asks for.
        public static let invalidValue = Code(rawValue: "invalid-value")
    }

    public var code: Code
    public var file: String
    /// 1-based; nil where the trouble is with the file as a whole.
    public var line: Int?
    /// What is wrong, in one line.
    public var reason: String

    public init(_ code: Code, file: String, line: Int? = nil, reason: String) {
        self.code = code
        self.file = file
        self.line = line
        self.reason = reason
    }

    /// As compilers print it: `FILE:LINE: reason`.
    public var description: String {
        if let line { "\(file):\(line): \(reason)" } else { "\(file): \(reason)" }
    }
}
