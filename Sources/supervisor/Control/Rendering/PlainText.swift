/// Text for a terminal.
enum PlainText {
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

    /// Lines of cells, each column as wide as its widest cell, two spaces between, no spaces at a line's end.
    static func columns(_ rows: [[String]], indent: Int = 0) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = String(repeating: " ", count: indent)
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
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
