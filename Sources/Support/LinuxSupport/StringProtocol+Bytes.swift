/// Text from outside, looked at byte by byte.
///
/// The standard library compares by canonical equivalence and cuts between grapheme clusters. Both take time that grows
/// with the square of a run of combining marks, so that a text of 100 kB stops a thread for seconds. What stands here looks
/// at each byte once.
extension StringProtocol {
    /// Whether it has the very bytes of `other`.
    package func isExactly(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether its first bytes are those of `prefix`.
    package func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    /// Whether its last bytes are those of `suffix`.
    package func ends(with suffix: String) -> Bool {
        let rest = utf8.count - suffix.utf8.count
        return rest >= 0 && utf8.dropFirst(rest).elementsEqual(suffix.utf8)
    }

    /// Whether the bytes of `words` are somewhere in it. The standard library's own search links two libraries of a megabyte.
    package func hasBytes(of words: String) -> Bool {
        let count = words.utf8.count
        var rest = utf8[...]
        while rest.count >= count {
            if rest.starts(with: words.utf8) { return true }
            rest = rest.dropFirst()
        }
        return false
    }

    /// What stands between the separators, empty parts included.
    package func parts(separatedBy byte: UInt8, maxSplits: Int = .max) -> [SubSequence] {
        utf8.split(separator: byte, maxSplits: maxSplits, omittingEmptySubsequences: false).map { part in
            self[part.startIndex..<part.endIndex]
        }
    }

    /// The text where it has at most `limit` bytes; otherwise its beginning, cut between scalars.
    package func cut(toBytes limit: Int) -> String {
        let text = String(self)
        guard text.utf8.count > limit else { return text }
        let bytes = text.utf8
        var end = bytes.index(bytes.startIndex, offsetBy: limit)
        while end > bytes.startIndex, bytes[end] & 0xC0 == 0x80 { end = bytes.index(before: end) }
        return String(text[..<end])
    }

    /// Whether it is at most `limit` bytes of printable ASCII, the space included: for such a text the standard library's own
    /// comparison and hash are linear, too.
    package func isPrintableASCII(upTo limit: Int) -> Bool {
        utf8.count <= limit && utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}
