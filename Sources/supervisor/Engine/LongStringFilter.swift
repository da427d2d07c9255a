/// Shortens the strings of a JSON text while it arrives: what we need of an answer is short, and what an image or a container
/// brings along (labels, variables) has any size.
///
/// What is left is JSON if it was before: a string is cut between characters, never in an escape.
struct LongStringFilter: Sendable {
    /// Bytes that a string may have, as it is written, without its quotes.
    let limit: Int
    private var isInString = false
    /// Bytes of the present string.
    private var length = 0
    private var isDropping = false
    /// Bytes of the present escape after the backslash: nil outside of one.
    private var escape: [UInt8]?
    /// Whether the other half of a surrogate pair has to follow.
    private var needsLowSurrogate = false

    init(limit: Int) {
        self.limit = limit
    }

    mutating func filter(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.underestimatedCount)
        for byte in bytes where keeps(byte) { kept.append(byte) }
        return kept
    }

    private mutating func keeps(_ byte: UInt8) -> Bool {
        guard isInString else {
            if byte == UInt8(ascii: "\"") { (isInString, length, isDropping) = (true, 0, false) }
            return true
        }
        if escape != nil {
            continueEscape(byte)
            length += 1
            return !isDropping
        }
        if byte == UInt8(ascii: "\"") {
            (isInString, needsLowSurrogate) = (false, false)
            return true
        }
        let isInCharacter = byte & 0xC0 == 0x80
        if length >= limit, !isInCharacter, !needsLowSurrogate { isDropping = true }
        length += 1
        if byte == UInt8(ascii: "\\") { escape = [] } else { needsLowSurrogate = false }
        return !isDropping
    }

    private mutating func continueEscape(_ byte: UInt8) {
        let digits = (escape ?? []) + [byte]
        guard digits.first == UInt8(ascii: "u"), digits.count < 5 else {
            // D800 to DBFF is the first half of a pair.
            let letters = digits.dropFirst().prefix(2).map { $0 | 0x20 }
            needsLowSurrogate = letters.first == UInt8(ascii: "d") && "89ab".utf8.contains(letters.last ?? 0)
            escape = nil
            return
        }
        escape = digits
    }
}
