import Testing
import UnitFile

@Suite struct UnitFileParsingTests {
    static func parse(_ text: String) throws -> UnitFile { try UnitFile(parsing: Array(text.utf8), file: "f") }

    /// A text and its assignments as "line [section] key=value".
    static let texts: [(String, [String])] = [
        ("", []),
        ("\n \n\t\n", []),
        ("[A]", []),
        ("[A]\nb=c", ["2 [A] b=c"]),
        ("[A]\nb=c\n", ["2 [A] b=c"]),
        ("[A]\n  b \t = \t c d \t\n", ["2 [A] b=c d"]),
        ("[A]\r\nb=c\r\n\r\nd=e\r\n", ["2 [A] b=c", "4 [A] d=e"]),
        ("\u{FEFF}[A]\nb=c", ["2 [A] b=c"]),
        ("[A B]\nb=c", ["2 [A B] b=c"]),
        ("  [A]  \nb=c", ["2 [A] b=c"]),
        ("[A]\nb=c=d=", ["2 [A] b=c=d="]),
        ("[A]\nb=", ["2 [A] b="]),
        ("[A]\nb=\"c\" 'd' \\n", ["2 [A] b=\"c\" 'd' \\n"]),
        ("[A]\nb=ünï", ["2 [A] b=ünï"]),
        // Comments.
        ("# x\n; y\n[A]\n # b=c\n\t;b=c\nd=e # no comment\n", ["6 [A] d=e # no comment"]),
        ("[A]\nb=#c", ["2 [A] b=#c"]),
        // Repeated keys and sections.
        ("[A]\nb=1\n[C]\nb=2\n[A]\nb=3", ["2 [A] b=1", "4 [C] b=2", "6 [A] b=3"]),
        // Continued lines.
        ("[A]\nb=c\\\nd\ne=f", ["2 [A] b=c d", "4 [A] e=f"]),
        ("[A]\nb=c \\\n   d", ["2 [A] b=c     d"]),
        ("[A]\nb=c\\\r\nd\r\n", ["2 [A] b=c d"]),
        ("[A]\nb=c\\\n# x\n ; y \\\nd\ne=f", ["2 [A] b=c d", "6 [A] e=f"]),
        ("[A]\nb=c\\\n\nd=e", ["2 [A] b=c", "4 [A] d=e"]),
        ("[A]\nb=c\\\\\nd=e", ["2 [A] b=c\\\\", "3 [A] d=e"]),
        ("[A]\nb=c\\\\\\\nd", ["2 [A] b=c\\\\ d"]),
        ("[A]\nb=c\\ \nd=e", ["2 [A] b=c\\", "3 [A] d=e"]),
        ("[A]\nb\\\n=\\\nc", ["2 [A] b=c"]),
        ("[A]\nb=c\\", ["2 [A] b=c"]),
        ("[A]\nb=c\\\n# x", ["2 [A] b=c"]),
    ]

    @Test(arguments: texts)
    func `a text has these assignments`(text: String, expected: [String]) throws {
        let found = try Self.parse(text).assignments.map { "\($0.location.line) [\($0.section)] \($0.key)=\($0.text)" }
        #expect(found == expected)
    }

    /// A text and the error, with its line.
    static let faults: [(String, String)] = [
        ("b=c", "f:1: an assignment before the first [SECTION]"),
        ("\n\n[A]\nb", "f:4: expected [SECTION], KEY=VALUE or a comment"),
        ("[A]\n=c", "f:2: the key before '=' is missing"),
        ("[A]\n  = c", "f:2: the key before '=' is missing"),
        ("[A", "f:1: a section header must have the form [NAME]"),
        ("[]", "f:1: a section header must have the form [NAME]"),
        ("[A]\n[B]x\n", "f:2: a section header must have the form [NAME]"),
        ("[A]\nb=c\\\nd\nx", "f:4: expected [SECTION], KEY=VALUE or a comment"),
        ("[A]\nx\\\ny", "f:2: expected [SECTION], KEY=VALUE or a comment"),
        ("[A]\nb=\0", "f:2: the line contains a NUL byte"),
        ("[A]\n# \0", "f:2: the line contains a NUL byte"),
        ("\0", "f:1: the line contains a NUL byte"),
    ]

    @Test(arguments: faults)
    func `a fault is reported with file and line`(text: String, message: String) {
        let error = #expect(throws: UnitFileError.self) { try Self.parse(text) }
        #expect(error?.code == .malformed)
        #expect(error?.description == message)
    }

    @Test(arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func `bytes that are not UTF-8 are refused in values and comments`(bytes: [UInt8]) {
        for start in ["[A]\nb=", "[A]\n#"] {
            let error = #expect(throws: UnitFileError.self) {
                try UnitFile(parsing: Array(start.utf8) + bytes + Array("\nc=d\n".utf8), file: "f")
            }
            #expect(error?.description == "f:2: the line is not valid UTF-8")
        }
    }

    @Test func `a file of 1 MiB is read and one byte more is refused`() throws {
        let start = Array("[A]\nb=".utf8)
        let longest = start + Array(repeating: UInt8(ascii: "x"), count: UnitFile.sizeLimit - start.count)
        #expect(try UnitFile(parsing: longest, file: "f").last("b", in: "A")?.text.count == longest.count - start.count)
        let error = #expect(throws: UnitFileError.self) { try UnitFile(parsing: longest + [0x78], file: "f") }
        #expect(error?.code == .unreadable)
        #expect(error?.description == "f: the file is larger than 1048576 bytes")
    }

    @Test func `a section without keys is known by its header`() throws {
        let file = try Self.parse("[A]\n[B]\nc=d\n[A]\n")
        #expect(file.headers.map { "\($0.location) \($0.section)" } == ["f:1 A", "f:2 B", "f:4 A"])
    }

    @Test func `of repeated single values the last one counts, and an empty one asks for the default`() throws {
        let file = try Self.parse("[A]\nb=1\nb=2\nc=1\nc=\nd=\nd=3\n[B]\nb=9")
        #expect(file.last("b", in: "A")?.text == "2")
        #expect(file.last("b", in: "A")?.location == UnitFile.Location(file: "f", line: 3))
        #expect(file.last("c", in: "A") == nil)
        #expect(file.last("d", in: "A")?.text == "3")
        #expect(file.last("x", in: "A") == nil)
        #expect(file.last("B", in: "A") == nil)
    }

    @Test func `repeated list values append, and an empty one empties the list`() throws {
        let file = try Self.parse("[A]\nb=1\nb=2\nc=1\nc=\nc=2\nc=3\nd=1\nd=\n")
        #expect(file.all("b", in: "A")?.map(\.text) == ["1", "2"])
        #expect(file.all("c", in: "A")?.map(\.text) == ["2", "3"])
        #expect(file.all("d", in: "A") == [])
        #expect(file.all("x", in: "A") == nil)
    }

    @Test func `the keys of a section come in the order of their first assignment`() throws {
        let file = try Self.parse("[A]\nz=1\na=2\nz=3\n[B]\nq=4\n[A]\nm=5")
        #expect(file.keys(in: "A") == ["z", "a", "m"])
        #expect(file.keys(in: "C") == [])
    }
}
