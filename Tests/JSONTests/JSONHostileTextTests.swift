import JSON
import TestSupport
import Testing

struct JSONHostileTextTests {
    @Test func `values of marks are compared and hashed as bytes`() {
        let (a, b) = (JSONValue.string(HostileText.marks), JSONValue.string("x" + HostileText.marks))
        let isQuick = HostileText.isQuick {
            #expect(a != b && Set([a, b, a]).count == 2)
            #expect(JSONValue.object([HostileText.marks: 1]) != .object(["x" + HostileText.marks: 1]))
        }
        #expect(isQuick)
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
    }

    @Test func `an object of many members takes time in proportion to them`() {
        let members = (0..<100_000).map { (String($0), JSONValue.null) }
        let isQuick = HostileText.isQuick { #expect(JSONObject(members + members).count == 100_000) }
        #expect(isQuick)
    }

    @Test func `of two members with one name the later value counts at the place of the first`() {
        let names = (0..<20).map(String.init)
        let object = JSONObject((names + ["3", "19"]).enumerated().map { ($1, .integer(Int64($0))) })
        #expect(object.names == names && object["3"] == 20 && object["19"] == 21)
    }

    @Test(arguments: [
        ("running", true), ("", true), ("a b", true), ("\u{301}", false), ("a\n", false), ("\u{E9}", false),
    ])
    func `a word of a protocol is printable ASCII`(text: String, isPlain: Bool) {
        #expect(JSONValue.string(text).plainValue == (isPlain ? text : nil))
        #expect(JSONValue.string(String(repeating: "x", count: 513)).plainValue == nil)
        #expect(JSONValue.integer(1).plainValue == nil)
    }
}
