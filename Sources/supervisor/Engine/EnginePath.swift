/// A path and a query as HTTP wants them (RFC 3986, sections 3.3 and 3.4).
struct EnginePath: CustomStringConvertible {
    private(set) var description: String

    /// Everything is encoded that could end a segment, a name or a value. What is nil in the query is left out.
    init(_ segments: [some StringProtocol], query: KeyValuePairs<String, String?> = [:]) {
        var text = ""
        for segment in segments {
            text += "/"
            // Unencoded as the engine's own clients send them: image names have both.
            text.append(contentsOf: Self.encoded(segment, alsoKeeping: ":@"))
        }
        var separator = "?"
        for (name, value) in query {
            guard let value else { continue }
            text += separator + Self.encoded(name) + "=" + Self.encoded(value)
            separator = "&"
        }
        description = text
    }

    private static func encoded(_ text: some StringProtocol, alsoKeeping kept: StaticString = "") -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return kept.withUTF8Buffer { kept in
            var bytes: [UInt8] = []
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "~"):
                    bytes.append(byte)
                case _ where kept.contains(byte):
                    bytes.append(byte)
                default:
                    bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
