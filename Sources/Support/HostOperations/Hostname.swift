import LinuxSupport

/// A host name as RFC 1123, section 2.1 has it, of at most 64 bytes (HOST_NAME_MAX of Linux): labels of 1 to 63 letters,
/// digits and inner hyphens, separated by dots.
public struct Hostname: Sendable, Hashable {
    public let text: String

    public static let allowed =
        "letters, digits and inner hyphens, in parts of at most 63 separated by dots, 64 characters in all"

    /// nil for a text that is not a host name.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), Self.isValid(text) else { return nil }
        self.text = text
    }

    /// Of a name with its domains, in bytes (RFC 1035, section 2.3.4, without the lengths of labels).
    static let maximumLength = 253

    /// Whether every label is one of RFC 1123, and the whole at most 253 bytes.
    public static func isValid(_ name: String) -> Bool {
        guard (1...maximumLength).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy(isLetterDigitHyphen)
        }
    }

    private static func isLetterDigitHyphen(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isASCIIDigit || byte == UInt8(ascii: "-")
    }
}
