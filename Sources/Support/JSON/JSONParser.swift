/// Reads one JSON text; `JSONValue.init(parsing:limits:)` says which texts it takes.
///
/// Ours because FoundationEssentials' codec costs 6.6 MB and half the throughput, and its encoder does not keep the order of
/// members, which the API fixes.
///
/// The input is an array rather than a pointer so that an index out of bounds could only ever trap, never read.
struct JSONParser {
    private let bytes: [UInt8]
    private let limits: JSONValue.Limits
    private var offset = 0

    init(_ bytes: [UInt8], limits: JSONValue.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parse() throws(JSONParseError) -> JSONValue {
        guard bytes.count <= limits.size else {
            throw failure("the input is longer than \(limits.size) bytes", at: max(0, limits.size))
        }
        guard !bytes.starts(with: [0xEF, 0xBB, 0xBF]) else { throw failure("a byte order mark is not allowed") }
        skipWhiteSpace()
        let value = try parseValue(depth: 0)
        skipWhiteSpace()
        guard offset == bytes.count else { throw failure("nothing but white space may follow the value") }
        return value
    }

    /// `depth` is the number of arrays and objects around the value.
    private mutating func parseValue(depth: Int) throws(JSONParseError) -> JSONValue {
        guard let byte = current else { throw expected("a value") }
        switch byte {
        case UInt8(ascii: "\""):
            return .string(try parseString())
        case UInt8(ascii: "{"):
            return .object(try parseObject(depth: depth + 1))
        case UInt8(ascii: "["):
            return .array(try parseArray(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try parseNumber()
        case UInt8(ascii: "t"):
            return try parse("true", as: true)
        case UInt8(ascii: "f"):
            return try parse("false", as: false)
        case UInt8(ascii: "n"):
            return try parse("null", as: .null)
        default:
            throw expected("a value")
        }
    }

    private mutating func parse(_ word: StaticString, as value: JSONValue) throws(JSONParseError) -> JSONValue {
        let found = bytes[offset...].prefix(word.utf8CodeUnitCount)
        let matches = word.withUTF8Buffer { found.elementsEqual($0) }
        guard matches else { throw failure("expected a value") }
        offset += word.utf8CodeUnitCount
        return value
    }

    // MARK: Arrays and objects

    private mutating func parseArray(depth: Int) throws(JSONParseError) -> [JSONValue] {
        try open(depth: depth)
        var elements: [JSONValue] = []
        if close(with: UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try parseValue(depth: depth))
            skipWhiteSpace()
            if close(with: UInt8(ascii: "]")) { return elements }
            guard current == UInt8(ascii: ",") else { throw expected("',' or ']'") }
            offset += 1
            skipWhiteSpace()
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONParseError) -> JSONObject {
        try open(depth: depth)
        var members: [JSONObject.Member] = []
        var names: Set<CodeUnits> = []
        if close(with: UInt8(ascii: "}")) { return JSONObject() }
        while true {
            guard current == UInt8(ascii: "\"") else { throw expected("a member's name in quotes") }
            let start = offset
            let name = try parseString()
            guard Self.isNew(name, in: members, &names) else {
                throw failure("the object has a member of this name already", at: start)
            }
            skipWhiteSpace()
            guard current == UInt8(ascii: ":") else { throw expected("':'") }
            offset += 1
            skipWhiteSpace()
            members.append(JSONObject.Member(name: name, value: try parseValue(depth: depth)))
            skipWhiteSpace()
            if close(with: UInt8(ascii: "}")) { return JSONObject(unique: members) }
            guard current == UInt8(ascii: ",") else { throw expected("',' or '}'") }
            offset += 1
            skipWhiteSpace()
        }
    }

    /// `names` is filled only once there are so many members that a hostile object would make comparing them slow.
    private static func isNew(_ name: String, in members: [JSONObject.Member], _ names: inout Set<CodeUnits>) -> Bool {
        let name = CodeUnits(name)
        if members.count < JSONObject.membersToCompare { return !members.contains { CodeUnits($0.name) == name } }
        if names.isEmpty { names = Set(members.map { CodeUnits($0.name) }) }
        return names.insert(name).inserted
    }

    private mutating func open(depth: Int) throws(JSONParseError) {
        let deepest = min(limits.depth, 512)
        guard depth <= deepest else { throw failure("arrays and objects nest deeper than \(deepest)") }
        offset += 1
        skipWhiteSpace()
    }

    private mutating func close(with bracket: UInt8) -> Bool {
        guard current == bracket else { return false }
        offset += 1
        return true
    }

    // MARK: Numbers

    private mutating func parseNumber() throws(JSONParseError) -> JSONValue {
        let start = offset
        let isNegative = current == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        // Negated, because there is one negative number more than there are positive ones; nil once it does not fit.
        var negated = try parseWholePart()
        if current == UInt8(ascii: ".") {
            negated = nil
            offset += 1
            try skipDigits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            negated = nil
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            try skipDigits()
        }
        if let negated {
            if isNegative { return .integer(negated) }
            if negated != .min { return .integer(-negated) }
        }
        guard let value = Double(String(decoding: bytes[start..<offset], as: UTF8.self)), value.isFinite else {
            throw failure("the number is too large", at: start)
        }
        return .double(value)
    }

    private mutating func parseWholePart() throws(JSONParseError) -> Int64? {
        let start = offset
        try skipDigits()
        if bytes[start] == UInt8(ascii: "0"), offset - start > 1 {
            throw failure("a number has no leading zeros", at: start)
        }
        var negated: Int64 = 0
        for digit in bytes[start..<offset] {
            let (tenfold, multiplied) = negated.multipliedReportingOverflow(by: 10)
            let (sum, subtracted) = tenfold.subtractingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            if multiplied || subtracted { return nil }
            negated = sum
        }
        return negated
    }

    /// At least one.
    private mutating func skipDigits() throws(JSONParseError) {
        let start = offset
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        guard offset > start else { throw expected("a digit") }
    }

    // MARK: Strings

    private mutating func parseString() throws(JSONParseError) -> String {
        offset += 1
        // What has been decoded so far; stays empty for a string without escapes.
        var decoded: [UInt8] = []
        var start = offset
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                let run = bytes[start..<offset]
                offset += 1
                if decoded.isEmpty { return String(decoding: run, as: UTF8.self) }
                decoded += run
                return String(decoding: decoded, as: UTF8.self)
            case UInt8(ascii: "\\"):
                decoded += bytes[start..<offset]
                try parseEscape(into: &decoded)
                start = offset
            case 0..<0x20:
                throw failure("a control character in a string must be escaped")
            case 0x20..<0x80:
                offset += 1
            default:
                try skipMultibyteScalar()
            }
        }
        throw failure("the input ends within a string")
    }

    /// Accepts the sequences of table 3-7 of the Unicode standard (well-formed UTF-8 byte sequences).
    private mutating func skipMultibyteScalar() throws(JSONParseError) {
        let second: ClosedRange<UInt8>
        let length: Int
        switch bytes[offset] {
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw failure("not valid UTF-8")
        }
        let isWellFormed =
            bytes.count - offset >= length
            && second.contains(bytes[offset + 1])
            && bytes[(offset + 2)..<(offset + length)].allSatisfy { (0x80...0xBF).contains($0) }
        guard isWellFormed else { throw failure("not valid UTF-8") }
        offset += length
    }

    private mutating func parseEscape(into decoded: inout [UInt8]) throws(JSONParseError) {
        let start = offset
        offset += 1
        guard let letter = current else { throw failure("the input ends within a string") }
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(letter)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"):
            decoded.append(contentsOf: try parseUnicodeEscape(at: start).utf8)
            return
        default: throw failure("this escape is not known", at: start)
        }
        offset += 1
    }

    /// One `\uXXXX`, or two that are a surrogate pair; the first backslash is at `start`, the offset at its `u`.
    private mutating func parseUnicodeEscape(at start: Int) throws(JSONParseError) -> Unicode.Scalar {
        let first = try parseHexadecimalUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // The only 16-bit numbers that are no scalar are surrogates.
        if first < 0xDC00, bytes[offset...].starts(with: #"\u"#.utf8) {
            offset += 1
            let second = try parseHexadecimalUnit()
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00))
            {
                return scalar
            }
        }
        throw failure("this escape is half of a surrogate pair, the other half is missing", at: start)
    }

    /// The four digits after the `u` at the offset.
    private mutating func parseHexadecimalUnit() throws(JSONParseError) -> UInt16 {
        offset += 1
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Self.value(ofHexadecimalDigit: byte) else {
                throw expected("four hexadecimal digits after \\u")
            }
            unit = unit << 4 | digit
            offset += 1
        }
        return unit
    }

    private static func value(ofHexadecimalDigit byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    // MARK: The input

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipWhiteSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private func expected(_ what: String) -> JSONParseError {
        failure(offset < bytes.count ? "expected \(what)" : "the input ends where \(what) was expected")
    }

    private func failure(_ reason: String) -> JSONParseError { failure(reason, at: offset) }

    private func failure(_ reason: String, at offset: Int) -> JSONParseError {
        let before = bytes.prefix(offset)
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONParseError(
            reason: reason,
            offset: offset,
            line: 1 + before.count { $0 == 0x0A },
            column: 1 + before.count - lineStart
        )
    }
}
