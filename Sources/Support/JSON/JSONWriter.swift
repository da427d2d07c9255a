extension JSONValue {
    /// The compact JSON text in UTF-8: no white space, members in their order. Never contains a line feed.
    ///
    /// Strings escape `"`, `\` and the control characters below U+0020 (`\b \f \n \r \t`, else `\u00xx` with lower-case
    /// digits) and nothing else. A double is written with the fewest digits that read back as the same double, without
    /// a fraction where it has none (`50`, as JavaScript does, since typed readers refuse `50.0` for an integer;
    /// `-0.0` keeps its sign). NaN and the infinities, which no value should hold, become `null`.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }

    /// Appends the compact JSON text.
    public func encode(into bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: value.description.utf8)
        case .double(let value): Self.encode(value, into: &bytes)
        case .string(let value): Self.encode(value, into: &bytes)
        case .array(let elements): Self.encode(elements, into: &bytes)
        case .object(let object): Self.encode(object, into: &bytes)
        }
    }

    /// The compact JSON text.
    public var text: String { String(decoding: encoded(), as: UTF8.self) }

    private static func encode(_ elements: [JSONValue], into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "["))
        var isFirst = true
        for element in elements {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            element.encode(into: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private static func encode(_ object: JSONObject, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        var isFirst = true
        for member in object {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            encode(member.name, into: &bytes)
            bytes.append(UInt8(ascii: ":"))
            member.value.encode(into: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private static func encode(_ number: Double, into bytes: inout [UInt8]) {
        guard number.isFinite else {
            bytes.append(contentsOf: "null".utf8)
            return
        }
        // Swift's own description is the shortest that reads back, and each of its forms (0.1, 50.0, 1e-05, 1e+16) is
        // a JSON number.
        let digits = number.description.utf8
        let isNegativeZero = number == 0 && number.sign == .minus
        let hasNoFraction = digits.suffix(2).elementsEqual(".0".utf8)
        bytes.append(contentsOf: hasNoFraction && !isNegativeZero ? digits.dropLast(2) : digits[...])
    }

    private static func encode(_ string: String, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { utf8 in
            // Start of what has not been written yet.
            var start = utf8.startIndex
            for (index, byte) in utf8.enumerated() {
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: utf8[start..<index])
                encodeEscape(of: byte, into: &bytes)
                start = index + 1
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func encodeEscape(of byte: UInt8, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0..<0x20:
            bytes.append(contentsOf: byte < 0x10 ? "u000".utf8 : "u001".utf8)
            bytes.append(contentsOf: String(byte & 0x0F, radix: 16).utf8)
        default: bytes.append(byte)
        }
    }
}
