/// Text for a terminal.
enum TerminalText {
    /// Without control characters: names and messages come from applications, which may not speak to the terminal. A
    /// line feed stays.
    static func safe(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            scalars.append(isControl && scalar != "\n" ? "\u{FFFD}" : scalar)
        }
        return String(scalars)
    }

    /// A line that an application wrote: without the sequences that colour it, and without other control characters but
    /// the tab.
    static func logLine(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\u{1B}", rest.first == "[" {
                // ECMA-48, section 5.4: parameters, then one final byte.
                while let next = rest.popFirst(), next == "[" || !(0x40...0x7E).contains(next.value) {}
            } else if scalar == "\r", rest.isEmpty {
                break
            } else {
                let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                scalars.append(isControl && scalar != "\t" ? "\u{FFFD}" : scalar)
            }
        }
        return String(scalars)
    }

    /// A value of a query (RFC 3986, section 2.1).
    static func percentEncoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }

    /// Lines of cells, each column as wide as its widest cell, two spaces between, no spaces at a line's end.
    static func columns(_ rows: [[String]], indent: Int = 0) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? TextStyle.width(of: $0[column]) : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = String(repeating: " ", count: indent)
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - TextStyle.width(of: cell) + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// Lines of at most `width` columns where words allow it: the first begins with `lead`, the others with as many spaces.
    /// Nothing for an empty text.
    static func wrapped(_ text: String, lead: String = "", width: Int) -> [String] {
        var lines: [String] = []
        var line = lead
        var isBegun = false
        for word in text.split(separator: " ") {
            if isBegun, line.count + 1 + word.count > width {
                lines.append(line)
                line = String(repeating: " ", count: lead.count) + word
            } else {
                line += (isBegun ? " " : "") + word
                isBegun = true
            }
        }
        return isBegun ? lines + [line] : []
    }

    /// A span of time with the two largest units that matter: "17 s", "3 min", "5 h 12 min", "4 d 3 h".
    static func span(seconds: Int64) -> String {
        let seconds = max(seconds, 0)
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400)
        return switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3600: "\(minutes) min"
        case ..<86400: join(hours, "h", minutes % 60, "min")
        default: join(days, "d", hours % 24, "h")
        }
    }

    private static func join(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(smallUnit)"
    }
}
