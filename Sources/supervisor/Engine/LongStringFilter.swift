internal import Glibc

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

    mutating func filter(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            let run = plainRun(bytes, from: position)
            if run > 0, !isDropping { kept.append(contentsOf: bytes[position..<position + run]) }
            if run > 0, isInString { length += run }
            position += run
            guard position < bytes.count else { break }
            if keeps(bytes[position]) { kept.append(bytes[position]) }
            position += 1
        }
        return kept
    }

    /// How many of the next bytes are all kept, or all dropped, and change nothing but the length.
    private func plainRun(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard escape == nil, !needsLowSurrogate, let base = bytes.baseAddress else { return 0 }
        // A window: an end that is far away is not looked for at each escape again.
        var count = min(bytes.count - start, 512)
        if isInString, !isDropping { count = min(count, limit - length) }
        guard count > 0 else { return 0 }
        let ends = isInString ? [UInt8(ascii: "\""), UInt8(ascii: "\\")] : [UInt8(ascii: "\"")]
        for end in ends {
            guard let found = memchr(base + start, Int32(end), count) else { continue }
            count = UnsafeRawPointer(found) - (base + start)
        }
        return count
    }

    private mutating func keeps(_ byte: UInt8) -> Bool {
        guard isInString else {
            if byte == UInt8(ascii: "\"") { (isInString, length) = (true, 0) }
            return true
        }
        if escape != nil {
            continueEscape(byte)
            length += 1
            return !isDropping
        }
        if byte == UInt8(ascii: "\"") {
            (isInString, isDropping, needsLowSurrogate) = (false, false, false)
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
