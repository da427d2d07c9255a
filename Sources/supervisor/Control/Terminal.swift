import CLinux
import Glibc
import LinuxSupport
import SupervisorCommandLine

/// Standard output: whether it is a screen, and what the screen can do.
struct Terminal: Sendable {
    /// Whether standard output is a terminal that takes control sequences.
    let isScreen: Bool
    /// Whether it is to have colours besides (no-color.org).
    let isColoured: Bool

    static let output = Terminal(
        isTerminal: isatty(STDOUT_FILENO) == 1,
        term: environment("TERM"),
        noColor: environment("NO_COLOR")
    )

    init(isTerminal: Bool, term: String?, noColor: String?) {
        isScreen = isTerminal && term?.isEmpty == false && term != "dumb"
        isColoured = isScreen && noColor?.isEmpty != false
    }

    var style: TextStyle { isColoured ? .coloured : .plain }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Writes all of `text`, at once. False if the reader is gone.
    @discardableResult
    static func write(_ text: String, to descriptor: Int32 = STDOUT_FILENO) -> Bool {
        do { try Descriptor.writeAll(Array(text.utf8), to: descriptor, "standard output") } catch { return false }
        return true
    }
}

/// Gives words a colour, or leaves them alone.
enum TextStyle: Sendable, Hashable {
    case plain, coloured

    /// In order.
    func good(_ text: String) -> String { wrap(text, "32") }
    /// Worth a look.
    func warning(_ text: String) -> String { wrap(text, "33") }
    /// Wrong.
    func bad(_ text: String) -> String { wrap(text, "1;31") }
    func strong(_ text: String) -> String { wrap(text, "1") }
    func faint(_ text: String) -> String { wrap(text, "2") }

    /// One of a few colours, always the same for a number.
    func numbered(_ number: Int, _ text: String) -> String {
        wrap(text, ["36", "33", "32", "35", "34"][number % 5])
    }

    private func wrap(_ text: String, _ code: String) -> String {
        self == .plain || text.isEmpty ? text : "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }

    /// How many columns `text` takes: the sequences of this type take none. Foreign text has none, see `TerminalText.safe`.
    static func width(of text: String) -> Int {
        guard text.utf8.contains(0x1B) else { return text.count }
        var width = 0
        var isInSequence = false
        for character in text {
            if character == "\u{1B}" {
                isInSequence = true
            } else if !isInSequence {
                width += 1
            } else if character == "m" {
                isInSequence = false
            }
        }
        return width
    }
}
