import JSON
import Testing

@testable import SupervisorCore

struct ConfigurationDigestTests {
    private static func digest(_ values: JSONValue...) -> String {
        var digest = ConfigurationDigest()
        for value in values { digest.add(value) }
        return digest.text
    }

    private static func digest(texts: String...) -> String {
        var digest = ConfigurationDigest()
        for text in texts { digest.add(text) }
        return digest.text
    }

    @Test func `nothing hashes to the offset basis of 128-bit FNV-1a`() {
        #expect(ConfigurationDigest().text == "6c62272e07bb014262b821756295c58d")
    }

    @Test func `a digest has 32 hex digits and stays the same`() {
        let digest = Self.digest(["a": 1])
        #expect(digest.utf8.count == 32)
        #expect(digest == Self.digest(["a": 1]))
    }

    @Test func `the order of members is no change, at any depth`() {
        let one: JSONValue = ["a": 1, "b": ["x": [["p": 1, "q": 2]], "y": nil]]
        let other: JSONValue = ["b": ["y": nil, "x": [["q": 2, "p": 1]]], "a": 1]
        #expect(Self.digest(one) == Self.digest(other))
    }

    @Test func `the order of a list is a change`() {
        #expect(Self.digest([1, 2]) != Self.digest([2, 1]))
    }

    @Test func `a text moved from one part to the next is a change`() {
        #expect(Self.digest(texts: "ab", "c") != Self.digest(texts: "a", "bc"))
        #expect(Self.digest(texts: "abc") != Self.digest(texts: "abc", ""))
    }

    @Test func `texts that look the same but are other code units are a change`() {
        #expect(Self.digest("\u{E9}") != Self.digest("e\u{301}"))
        #expect(Self.digest(["\u{E9}": 1, "e\u{301}": 2]) == Self.digest(["e\u{301}": 2, "\u{E9}": 1]))
    }
}
