import TestSupport
import Testing
import UnitFile

struct UnitFileHostileTextTests {
    @Test func `a line of hundreds of thousands of continuations is put together once`() throws {
        let text = "[A]\nB=" + String(repeating: "\\\n", count: 400_000)
        let isQuick = try HostileText.isQuick {
            let unit = try UnitFile(parsing: Array(text.utf8), file: "f")
            #expect(unit.assignments(of: "B", in: "A").count == 1)
        }
        #expect(isQuick)
    }

    @Test func `values of marks are read as bytes`() throws {
        let unit = try UnitFile(parsing: Array("[A]\nB=\(HostileText.marks(900_000))\n".utf8), file: "f")
        let value = try #require(unit.last("B", in: "A"))
        let isQuick = try HostileText.isQuick {
            #expect(throws: UnitFileError.self) { try value.bool() }
            #expect(throws: UnitFileError.self) { try value.integer(in: 0...1) }
            #expect(throws: UnitFileError.self) { try value.duration(in: .zero ... .seconds(1)) }
            let words = try value.words()
            #expect(words.count == 1)
            #expect(value.shown.utf8.count < 300)
        }
        #expect(isQuick)
    }

    @Test(arguments: ["[\u{301}]\n", "[A]\n\u{E9}=1\n", "[A]\n" + String(repeating: "k", count: 256) + "=1\n"])
    func `names of sections and keys are printable ASCII of bounded length`(text: String) {
        let error = #expect(throws: UnitFileError.self) { try UnitFile(parsing: Array(text.utf8), file: "f") }
        #expect(error?.code == .malformed && error?.reason.contains("printable ASCII") == true)
    }
}
