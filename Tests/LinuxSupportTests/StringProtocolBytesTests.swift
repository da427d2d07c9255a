import LinuxSupport
import TestSupport
import Testing

struct StringProtocolBytesTests {
    @Test func `a composed letter is not its decomposition`() {
        #expect("\u{E9}" == "e\u{301}")
        #expect(!"\u{E9}".isExactly("e\u{301}"))
        #expect("e\u{301}".begins(with: "e") && "e\u{301}".ends(with: "\u{301}"))
        #expect(!"e".begins(with: "e\u{301}") && !"e".ends(with: "xe"))
        #expect("".begins(with: "") && "".ends(with: "") && !"".begins(with: "/"))
    }

    @Test func `parts are cut at a byte, whatever mark follows it`() {
        #expect("a:\u{301}b::c".parts(separatedBy: 0x3A).map(String.init) == ["a", "\u{301}b", "", "c"])
        #expect("".parts(separatedBy: 0x3A) == [""])
        #expect("a:b:c".parts(separatedBy: 0x3A, maxSplits: 1) == ["a", "b:c"])
    }

    @Test(arguments: [
        (0, ""), (1, "e"), (2, "e"), (3, "e\u{301}"), (5, "e\u{301}"), (7, "e\u{301}\u{1F600}"), (99, nil),
    ])
    func `a text is cut between scalars`(limit: Int, cut: String?) {
        let text = "e\u{301}\u{1F600}x"
        #expect(text.cut(toBytes: limit).isExactly(cut ?? text))
    }

    @Test func `printable ASCII has neither controls nor other scripts`() {
        #expect("a ~".isPrintableASCII(upTo: 3) && "".isPrintableASCII(upTo: 0))
        #expect(
            !"abcd".isPrintableASCII(upTo: 3) && !"\t".isPrintableASCII(upTo: 3) && !"\u{E9}".isPrintableASCII(upTo: 3)
        )
    }

    @Test func `marks cost what their size costs`() {
        let marks = HostileText.marks
        let isQuick = HostileText.isQuick {
            _ = marks.isExactly("x" + marks) || marks.begins(with: "e") || marks.ends(with: "e")
            _ = marks.parts(separatedBy: 0x2F)
            _ = marks.cut(toBytes: 500_000)
            _ = marks.isPrintableASCII(upTo: .max)
        }
        #expect(isQuick)
    }
}
