/// Splits a value into items as the section "Quoting" of systemd.syntax(7) has it.
enum Words {
    static func split(_ text: String) throws(WordsError) -> [String] {
        var words: [String] = []
        var rest = text.unicodeScalars[...].drop(while: UnitFile.isSpace)
        while let first = rest.first {
            if first == "\"" || first == "'" {
                rest.removeFirst()
                words.append(try takeQuoted(from: &rest, quote: first))
                guard rest.first.map(UnitFile.isSpace) ?? true else {
                    throw WordsError(reason: "white space must follow a closing quote")
                }
            } else {
                words.append(try takePlain(from: &rest))
            }
            rest = rest.drop(while: UnitFile.isSpace)
        }
        return words
    }

    private static func takeQuoted(
        from rest: inout Substring.UnicodeScalarView,
        quote: Unicode.Scalar
    ) throws(WordsError) -> String {
        var word = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            if next == quote { return String(word) }
            word.append(next == "\\" ? try takeEscape(from: &rest) : next)
        }
        throw WordsError(reason: "a quote is not closed")
    }

    private static func takePlain(from rest: inout Substring.UnicodeScalarView) throws(WordsError) -> String {
        var word = String.UnicodeScalarView()
        while let next = rest.first, !UnitFile.isSpace(next) {
            rest.removeFirst()
            word.append(next == "\\" ? try takeEscape(from: &rest) : next)
        }
        return String(word)
    }

    private static func takeEscape(from rest: inout Substring.UnicodeScalarView) throws(WordsError) -> Unicode.Scalar {
        switch rest.popFirst() {
        case "\\": return "\\"
        case "\"": return "\""
        case "'": return "'"
        case "s": return " "
        case "a": return "\u{7}"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{B}"
        default: throw WordsError(reason: "an escape is not known")
        }
    }
}
