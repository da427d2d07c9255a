import JSON
import TestSupport

/// Values and texts, the same for the same seed.
struct JSONSamples {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func value(depth: Int = 4) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 11 : 7), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int64.random(in: -1000...1000, using: &generator))
        case 3: return .integer(Int64(bitPattern: generator.next()))
        case 4: return .double(double())
        case 5, 6: return .string(string())
        case 7, 8: return .array((0..<count()).map { _ in value(depth: depth - 1) })
        default: return .object(JSONObject((0..<count()).map { _ in (string(), value(depth: depth - 1)) }))
        }
    }

    /// A text of `value` as other writers would have it: with white space, escapes nobody needs, exponents.
    mutating func text(of value: JSONValue) -> [UInt8] {
        var bytes = space()
        switch value {
        case .string(let string):
            bytes += text(of: string)
        case .array(let elements):
            bytes += [UInt8(ascii: "[")] + space()
            bytes += Array(elements.map { text(of: $0) }.joined(separator: [UInt8(ascii: ",")]))
            bytes += [UInt8(ascii: "]")]
        case .object(let object):
            let members = object.map { text(of: $0.name) + space() + [UInt8(ascii: ":")] + text(of: $0.value) }
            bytes += [UInt8(ascii: "{")] + space()
            bytes += Array(members.joined(separator: [UInt8(ascii: ",")] + space()))
            bytes += [UInt8(ascii: "}")]
        case .double(let number) where number.magnitude < 1e15 && Bool.random(using: &generator):
            // Rounded, so this is another number; what it is, the reader must say.
            bytes += Array("\(Int64(number)).25E\(["", "+", "-"].randomElement(using: &generator) ?? "")02".utf8)
        default:
            bytes += value.encoded()
        }
        return bytes + space()
    }

    /// `text` with one to three edits, most of which break it.
    mutating func mutated(_ text: [UInt8]) -> [UInt8] {
        let alphabet: [[UInt8]] =
            [
                #"""#, #"\"#, "{", "}", "[", "]", ",", ":", "0", "1", "-", "+", ".", "e", "E", "/", " ", "\n", "u",
                "\0", "\u{1F}",
            ]
            .map { Array($0.utf8) }
            + [
                #"\u0000"#, #"\ud800"#, #"\udc00"#, #"\ud83d\ude00"#, "null", "NaN", "Infinity", "1e999", "\u{FEFF}",
                "é",
            ]
            .map { Array($0.utf8) }
            + [[0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF]]
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let place = Int.random(in: 0...text.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: text.removeSubrange(place..<min(place + 1, text.count))
            case 1: text.removeSubrange(place...)
            case 2: text.insert(contentsOf: text.suffix(Int.random(in: 0...4, using: &generator)), at: place)
            case 3 where place < text.count: text[place] = UInt8(truncatingIfNeeded: generator.next())
            default: text.insert(contentsOf: alphabet.randomElement(using: &generator) ?? [], at: place)
            }
        }
        return text
    }

    private mutating func count() -> Int { Int.random(in: 0...5, using: &generator) }

    private mutating func double() -> Double {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return Double(Int64.random(in: -1000...1000, using: &generator)) / 8
        case 1: return Double(Int64(bitPattern: generator.next()))
        default:
            let number = Double(bitPattern: generator.next())
            return number.isFinite ? number : -0.0
        }
    }

    private mutating func string() -> String {
        let scalars: [Unicode.Scalar] = [
            "a", "b", "k", "\"", "\\", "/", "\0", "\n", "\r", "\t", "\u{8}", "\u{C}", "\u{1F}", "\u{7F}", "é", "e",
            "\u{301}",
            "\u{7FF}", "\u{800}", "\u{2028}", "\u{FEFF}", "\u{FFFF}", "\u{10000}", "😀", "\u{10FFFF}",
        ]
        var string = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            string.append(scalars.randomElement(using: &generator) ?? " ")
        }
        return String(string)
    }

    private mutating func space() -> [UInt8] {
        Array(["", "", "", " ", "\n", "\r\n", "\t "].randomElement(using: &generator) ?? "").flatMap { Array($0.utf8) }
    }

    private mutating func text(of string: String) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for scalar in string.unicodeScalars {
            if Bool.random(using: &generator) {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &generator))
                    bytes +=
                        Array(#"\u"#.utf8) + Array(String(repeating: "0", count: 4 - digits.count).utf8)
                        + Array(digits.utf8)
                }
            } else {
                bytes += JSONValue.string(String(scalar)).encoded().dropFirst().dropLast()
            }
        }
        return bytes + [UInt8(ascii: "\"")]
    }
}
