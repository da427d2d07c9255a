import LinuxSupport

/// Tokens of header fields, which HTTP compares as ASCII in either case (RFC 9110, section 5.6.2).
///
/// Field values come from strangers. String's own comparison, `lowercased()` and `split` work on grapheme clusters and
/// canonical equivalence, whose cost grows with the square of a run of combining marks; these look at each byte once.
enum ASCIIToken {
    /// Whether the bytes are those of `word`, which is written in lower case.
    static func matches(_ bytes: some Sequence<UInt8>, _ word: String) -> Bool {
        bytes.elementsEqual(word.utf8) { byte, wanted in byte.lowercasedASCII == wanted }
    }

    /// The bytes without spaces and tabs at both ends.
    static func trimmed(_ bytes: Substring.UTF8View) -> Substring.UTF8View {
        let start = bytes.drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return start }
        return start[...last]
    }

    static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
