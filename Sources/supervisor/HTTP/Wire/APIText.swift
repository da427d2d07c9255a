import LinuxSupport

/// The texts of the API, which keep to letters, digits, spaces and `:'.?!,/-`, because a proxy on the way to the device
/// passes no others.
enum APIText {
    /// Bytes of a text; what is longer is cut. Messages quote what others have said, of whatever length.
    static let limit = 4096

    /// `text` on one line in those characters: what has a likeness among them becomes it, the rest becomes a space.
    static func sanitised(_ text: String) -> String {
        let text = text.cut(toBytes: limit)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            let byte = likeness(of: scalar)
            if byte == space, bytes.isEmpty || bytes.last == space { continue }
            bytes.append(byte)
        }
        while bytes.last == space { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `text` on one line, every character of it that can be seen kept.
    static func onOneLine(_ text: String) -> String {
        let text = text.cut(toBytes: limit)
        let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var line = String.UnicodeScalarView()
        line.append(contentsOf: text.unicodeScalars.map { isControl($0) ? " " : $0 })
        return String(line)
    }

    private static let space = UInt8(ascii: " ")

    private static func likeness(of scalar: Unicode.Scalar) -> UInt8 {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", " ", ":", "'", ".", "?", "!", ",", "/", "-": UInt8(scalar.value)
        case "\"", "`", "\u{2018}", "\u{2019}", "\u{201C}", "\u{201D}": UInt8(ascii: "'")
        case "_", "\u{2013}", "\u{2014}": UInt8(ascii: "-")
        case ";": UInt8(ascii: ",")
        case "=": UInt8(ascii: ":")
        case "\\": UInt8(ascii: "/")
        default: space
        }
    }
}
