import JSON
import Testing

@Suite struct JSONWriterTests {
    static let texts: [(JSONValue, String)] = [
        (nil, "null"),
        (true, "true"),
        (false, "false"),
        (0, "0"),
        (.integer(.max), "9223372036854775807"),
        (.integer(.min), "-9223372036854775808"),
        // Doubles.
        (0.0, "0"),
        (.double(-0.0), "-0.0"),
        (1.0, "1"),
        (-50.0, "-50"),
        (50.5, "50.5"),
        (0.1, "0.1"),
        (.double(0.1 + 0.2), "0.30000000000000004"),
        (.double(1.0 / 3), "0.3333333333333333"),
        (9007199254740993.0, "9007199254740992"),
        (1e16, "1e+16"),
        (1e17, "1e+17"),
        (1e21, "1e+21"),
        (1e-5, "1e-05"),
        (.double(.leastNonzeroMagnitude), "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (.double(.nan), "null"),
        (.double(.infinity), "null"),
        (.double(-.infinity), "null"),
        // Strings.
        ("", #""""#),
        ("a/b", #""a/b""#),
        ("\"\\", #""\"\\""#),
        (
            "\0\u{1}\u{7}\u{8}\t\n\u{B}\u{C}\r\u{E}\u{F}\u{10}\u{1A}\u{1F} ",
            #""\u0000\u0001\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u001a\u001f ""#
        ),
        ("\u{7F}é\u{2028}\u{2029}\u{FEFF}😀", "\"\u{7F}é\u{2028}\u{2029}\u{FEFF}😀\""),
        ("e\u{301}", "\"e\u{301}\""),
        // Arrays and objects.
        ([], "[]"),
        ([1, [2], [:]], "[1,[2],{}]"),
        ([:], "{}"),
        (["b": 1, "a": [nil, true], "\n": "x"], #"{"b":1,"a":[null,true],"\n":"x"}"#),
    ]

    @Test(arguments: texts)
    func `a value has one text`(value: JSONValue, text: String) {
        #expect(value.encoded() == Array(text.utf8))
        #expect(value.text.utf8.elementsEqual(text.utf8))
    }

    @Test func `encoding appends to what is there`() {
        var bytes = Array("data: ".utf8)
        JSONValue.array([1]).encode(into: &bytes)
        #expect(bytes == Array("data: [1]".utf8))
    }
}
