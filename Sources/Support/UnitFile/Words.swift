/// Splits a value into items as the section "Quoting" of systemd.syntax(7) has it.
enum Words {
    struct Failure: Error {
        var reason: String
    }

    static func split(_ text: String) throws(Failure) -> [String] {
        var words: [String] = []
        var rest = text.unicodeScalars[...].drop(while: UnitFile.isSpace)
        while let first = rest.first {
            if first == "\"" || first == "'" {
                rest.removeFirst()
                words.append(try takeQuoted(from: &rest, quote: first))
                guard rest.first.map(UnitFile.isSpace) ?? true else {
                    throw Failure(reason: "white space must follow a closing quote")
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
    ) throws(Failure) -> String {
        var word = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            if next == quote { return String(word) }
            word.append(next == "\\" ? try takeEscape(from: &rest) : next)
        }
        throw Failure(reason: "a quote is not closed")
    }

    private static func takePlain(from rest: inout Substring.UnicodeScalarView) throws(Failure) -> String {
        var word = String.UnicodeScalarView()
        while let next = rest.first, !UnitFile.isSpace(next) {
            rest.removeFirst()
            word.append(next == "\\" ? try takeEscape(from: &rest) : next)
        }
        return String(word)
    }

    private static func takeEscape(from rest: inout Substring.UnicodeScalarView) throws(Failure) -> Unicode.Scalar {
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
        default: throw Failure(reason: "an escape is not known")
        }
    }
}
