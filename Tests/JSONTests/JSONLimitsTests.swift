import JSON
import Testing

/// What hostile input can cost.
@Suite(.timeLimit(.minutes(1))) struct JSONLimitsTests {
    static func nested(_ depth: Int, open: String = "[", close: String = "]") -> String {
        String(repeating: open, count: depth) + String(repeating: close, count: depth)
    }

    @Test func `nesting is allowed up to the limit and not beyond`() throws {
        #expect(throws: Never.self) { try JSONValue(parsing: Self.nested(64)) }
        let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: Self.nested(65)) }
        #expect(error?.reason == "arrays and objects nest deeper than 64")
        #expect(error?.offset == 64)
        let objects = Self.nested(3, open: #"{"a":["#, close: "]}")
        #expect(throws: JSONParseError.self) { try JSONValue(parsing: objects, limits: .init(depth: 5)) }
        #expect(throws: Never.self) { try JSONValue(parsing: objects, limits: .init(depth: 6)) }
    }

    @Test func `a limit of no depth leaves scalars`() throws {
        #expect(try JSONValue(parsing: "1", limits: .init(depth: 0)) == 1)
        #expect(throws: JSONParseError.self) { try JSONValue(parsing: "[]", limits: .init(depth: 0)) }
    }

    @Test func `no limit lets nesting exhaust the stack`() throws {
        let limits = JSONValue.Limits(depth: .max)
        let deepest = try JSONValue(parsing: Self.nested(512), limits: limits)
        #expect(deepest.text == Self.nested(512))
        for hostile in [
            Self.nested(500_000), String(repeating: "[", count: 1 << 20), Self.nested(100_000, open: #"{"a":"#),
        ] {
            let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: hostile, limits: limits) }
            #expect(error?.reason == "arrays and objects nest deeper than 512")
        }
    }

    @Test func `size is allowed up to the limit and not beyond`() throws {
        #expect(try JSONValue(parsing: "[10]", limits: .init(size: 4)) == [10])
        let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: "[100]", limits: .init(size: 4)) }
        #expect(error?.reason == "the input is longer than 4 bytes")
        #expect(throws: JSONParseError.self) { try JSONValue(parsing: "1", limits: .init(size: 0)) }
        #expect(throws: JSONParseError.self) { try JSONValue(parsing: "1", limits: .init(size: -1)) }
        #expect(try JSONValue(parsing: "1", limits: .init(size: .max)) == 1)
    }

    @Test func `an endless sequence is refused at the limit`() {
        let endless = sequence(first: UInt8(ascii: " ")) { $0 }
        let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: endless, limits: .init(size: 1000)) }
        #expect(error?.reason == "the input is longer than 1000 bytes")
    }

    @Test func `every kind of sequence gives the same value`() throws {
        let bytes = Array(#" {"a":[1,"é"]} "#.utf8)
        let value: JSONValue = ["a": [1, "é"]]
        #expect(try JSONValue(parsing: bytes) == value)
        #expect(try JSONValue(parsing: ([0, 0] + bytes + [0])[2..<(bytes.count + 2)]) == value)
        #expect(try JSONValue(parsing: bytes.lazy.map { $0 }) == value)
        #expect(try JSONValue(parsing: AnySequence(bytes)) == value)
    }

    /// Texts of about 1 MiB that make a parser slow which takes any step for each pair of bytes, members or marks. A
    /// quadratic one takes minutes over each, a linear one a moment even without optimisation.
    static let hostile: [Sample] = [
        Sample("many members", "{" + (0..<80_000).map { #""k\#($0)":0"# }.joined(separator: ",") + "}"),
        Sample(
            "names of combining marks",
            "{"
                + (0..<9).map { #""k\#($0)"# + String(repeating: "\u{301}\u{323}", count: 25_000) + #"":0"# }
                .joined(separator: ",") + "}"
        ),
        Sample("a long fraction", "0." + String(repeating: "7", count: 1_000_000)),
        Sample("a long exponent", "1e-" + String(repeating: "9", count: 1_000_000)),
        Sample("a string of escapes", #"""# + String(repeating: #"\u0041\n"#, count: 125_000) + #"""#),
        Sample("many elements", "[" + String(repeating: "0,", count: 500_000) + "0]"),
        Sample("white space", String(repeating: "\n", count: 1_000_000) + "1"),
    ]

    @Test(arguments: hostile)
    func `1 MiB is parsed in linear time`(sample: Sample) throws {
        let elapsed = try ContinuousClock().measure {
            _ = try JSONValue(parsing: sample.bytes)
        }
        #expect(elapsed < .seconds(20))
    }
}
