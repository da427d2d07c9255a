import SupervisorCommandLine

extension TerminalText {
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
