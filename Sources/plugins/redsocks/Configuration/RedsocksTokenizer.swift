import LinuxSupport

/// Cuts a redsocks.conf into words and punctuation exactly as redsocks 0.5 does (gettoken of its parser.c).
///
/// Words stand in quotes, with the escapes \n \t \r \\ \' \" and no others, or without: letters, digits, `_`, `.`, `-`
/// after a letter, digits, `.` and `/` after a digit. A word in quotes that is exactly one of { } = ; // /* is taken for
/// that punctuation. Comments are // to the end of the line, and /* to the next */. What follows the last line feed of a
/// file is not read.
struct RedsocksTokenizer {
    enum Token: Hashable {
        case word([UInt8])
        case open
        case close
        case assign
        case semicolon
    }

    private let bytes: ArraySlice<UInt8>
    private var index: Int
    /// Of the token that comes next or was the last, from 1.
    private(set) var line = 1
    private var nextLine = 1
    private var start = 0
    /// Where the token that came last stands in the text.
    var range: Range<Int> { start..<index }

    init(_ text: [UInt8]) {
        bytes = text[..<((text.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)]
        index = bytes.startIndex
    }

    /// nil at the end.
    mutating func next() throws(RedsocksSyntaxError) -> Token? {
        while true {
            skipSpace()
            line = nextLine
            start = index
            guard let byte = peek() else { return nil }
            switch byte {
            case UInt8(ascii: "\""):
                let word = try quoted()
                switch word {
                case [UInt8(ascii: "{")]: return .open
                case [UInt8(ascii: "}")]: return .close
                case [UInt8(ascii: "=")]: return .assign
                case [UInt8(ascii: ";")]: return .semicolon
                case Self.lineComment: skipLine()
                case Self.blockComment: skipBlock()
                default: return .word(word)
                }
            case UInt8(ascii: "0")...UInt8(ascii: "9"): return .word(try number())
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): return .word(plain())
            case UInt8(ascii: "{"): return punctuation(.open)
            case UInt8(ascii: "}"): return punctuation(.close)
            case UInt8(ascii: "="): return punctuation(.assign)
            case UInt8(ascii: ";"): return punctuation(.semicolon)
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"): skipLine()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
                index += 2
                skipBlock()
            case 0: throw RedsocksSyntaxError(kind: .nulByte, line: line)
            default: throw RedsocksSyntaxError(kind: .unexpectedByte, line: line)
            }
        }
    }

    private static let lineComment = Array("//".utf8)
    private static let blockComment = Array("/*".utf8)

    private func peek(_ offset: Int = 0) -> UInt8? {
        index + offset < bytes.endIndex ? bytes[index + offset] : nil
    }

    private mutating func punctuation(_ token: Token) -> Token {
        index += 1
        return token
    }

    // MARK: Words

    private mutating func quoted() throws(RedsocksSyntaxError) -> [UInt8] {
        var word: [UInt8] = []
        index += 1
        while let byte = peek() {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return word
            case UInt8(ascii: "\\"):
                guard let escaped = peek().flatMap(Self.unescape) else {
                    throw RedsocksSyntaxError(kind: .unknownEscape, line: nextLine)
                }
                index += 1
                word.append(escaped)
            case 0: throw RedsocksSyntaxError(kind: .nulByte, line: nextLine)
            default:
                if byte == UInt8(ascii: "\n") { nextLine += 1 }
                word.append(byte)
            }
        }
        throw RedsocksSyntaxError(kind: .unclosedQuote, line: line)
    }

    private static func unescape(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "n"): UInt8(ascii: "\n")
        case UInt8(ascii: "t"): UInt8(ascii: "\t")
        case UInt8(ascii: "r"): UInt8(ascii: "\r")
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): byte
        default: nil
        }
    }

    private mutating func number() throws(RedsocksSyntaxError) -> [UInt8] {
        let start = index
        while let byte = peek() {
            if Self.isDigit(byte) || byte == UInt8(ascii: ".") {
                index += 1
            } else if byte == UInt8(ascii: "/") {
                guard let after = peek(1) else { break }
                if after == UInt8(ascii: "/") || after == UInt8(ascii: "*") { break }
                guard Self.isDigit(after) else { throw RedsocksSyntaxError(kind: .unfinishedNumber, line: line) }
                index += 1
            } else {
                break
            }
        }
        return Array(bytes[start..<index])
    }

    private mutating func plain() -> [UInt8] {
        let start = index
        while let byte = peek(), Self.isInWord(byte) { index += 1 }
        return Array(bytes[start..<index])
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte.isASCIIDigit }

    private static func isInWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): true
        default: isDigit(byte)
        }
    }

    // MARK: What is skipped

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || (0x09...0x0D).contains(byte) {
            if byte == UInt8(ascii: "\n") { nextLine += 1 }
            index += 1
        }
    }

    private mutating func skipLine() {
        while let byte = peek(), byte != UInt8(ascii: "\n") { index += 1 }
    }

    /// A comment that is not closed extends to the end, as in redsocks.
    private mutating func skipBlock() {
        while let byte = peek() {
            if byte == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                index += 2
                return
            }
            if byte == UInt8(ascii: "\n") { nextLine += 1 }
            index += 1
        }
    }
}
