import SupervisorCommandLine
import Testing

@testable import superctl

struct TerminalTextTests {
    @Test(
        arguments: [
            (-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (3660, "1 h 1 min"),
            (86399, "23 h 59 min"), (86400, "1 d"), (273_600, "3 d 4 h"),
        ] as [(Int64, String)]
    )
    func `a span is told in the two units that matter`(seconds: Int64, text: String) {
        #expect(TerminalText.span(seconds: seconds) == text)
    }

    @Test func `columns line up, short rows too, and no line ends in a space`() {
        let lines = TerminalText.columns([["a", "long", "x"], ["longer", "b"], []], indent: 1)
        #expect(lines == [" a       long  x", " longer  b", ""])
    }
}
