/// Why a text is no redsocks.conf. Holds a line and never a value.
struct RedsocksSyntaxError: Error, Hashable, CustomStringConvertible {
    enum Kind: String, CaseIterable {
        case nulByte = "a NUL byte"
        case unexpectedByte = "an unexpected byte"
        case unfinishedNumber = "a slash in a number that is followed by no digit"
        case unknownEscape = "a backslash before a character that has no escape"
        case unclosedQuote = "quotes that are not closed"
        case sectionInSection = "a section within a section"
        case sectionWithoutName = "a section without a name"
        case nameWithoutSection = "a name that no section follows"
        case nothingToClose = "a closing brace without a section"
        case unclosedSection = "a section that is not closed"
        case outsideOfSection = "an assignment outside of a section"
        case assignmentWithoutKey = "an assignment without a key"
        case keyWithoutValue = "a key without a value"
        case emptyStatement = "a semicolon without an assignment"
        case missingSemicolon = "an assignment without a semicolon"
    }

    var kind: Kind
    /// From 1.
    var line: Int

    var description: String { "line \(line): \(kind.rawValue)" }
}
