/// Text for a terminal.
public enum TerminalText {
    /// Without control characters: names and messages come from applications, which may not speak to the terminal. A
    /// line feed stays.
    public static func safe(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            scalars.append(isControl && scalar != "\n" ? "\u{FFFD}" : scalar)
        }
        return String(scalars)
    }

    /// Lines of at most `width` columns where words allow it: the first begins with `lead`, the others with as many spaces.
    /// Nothing for an empty text.
    public static func wrapped(_ text: String, lead: String = "", width: Int) -> [String] {
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
}
