import JSON
import Testing

@Suite struct JSONParserTests {
    /// A text and the value that it stands for.
    static let values: [(String, JSONValue)] = [
        ("null", nil),
        ("true", true),
        ("false", false),
        (" \t\r\n1 \t\r\n", 1),
        // Numbers.
        ("0", 0),
        ("-0", 0),
        ("-1", -1),
        ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", 9223372036854775808.0),
        ("-9223372036854775809", -9223372036854775808.0),
        ("123456789012345678901234567890", 1.2345678901234568e29),
        ("1.0", 1.0),
        ("1.5", 1.5),
        ("1e2", 100.0),
        ("1E+2", 100.0),
        ("1e-2", 0.01),
        ("0e0", 0.0),
        ("0.1", 0.1),
        ("2.2250738585072011e-308", .double(.leastNormalMagnitude.nextDown)),
        ("5e-324", .double(.leastNonzeroMagnitude)),
        ("1e-400", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("0.3000000000000000444089209850062616169452667236328125", 0.30000000000000004),
        // Strings.
        (#""""#, ""),
        (#""abc""#, "abc"),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0000""#, "\0"),
        (#""a\u0041b""#, "aAb"),
        (#""\u00e9\u00E9é""#, "ééé"),
        (#""\ud83d\ude00""#, "😀"),
        (#""\uD83D\uDE00x""#, "😀x"),
        (#""\ud800\udc00\udbff\udfff""#, "\u{10000}\u{10FFFF}"),
        (#""\ufffe\uffff""#, "\u{FFFE}\u{FFFF}"),
        (#""\ufeff""#, "\u{FEFF}"),
        (
            "\"\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\"",
            "\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}"
        ),
        ("\"\u{2028}\u{2029}\"", "\u{2028}\u{2029}"),
        // Arrays and objects.
        ("[]", []),
        ("[ ]", []),
        ("[1,[2,[]],{}]", [1, [2, []], [:]]),
        (" [ 1 , 2 ] ", [1, 2]),
        ("{}", [:]),
        ("{ }", [:]),
        (#"{"":0}"#, ["": 0]),
        (#" { "b" : 1 , "a" : { "c" : null } } "#, ["b": 1, "a": ["c": nil]]),
        (#"{"a\u0000":1,"a":2}"#, ["a\0": 1, "a": 2]),
    ]

    @Test(arguments: values)
    func `a valid text becomes its value`(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    /// A text, what is wrong with it, and the offset at which it is.
    static let refusals: [(String, String, Int)] = [
        ("", "the input ends where a value was expected", 0),
        ("  ", "the input ends where a value was expected", 2),
        ("nul", "expected a value", 0),
        ("True", "expected a value", 0),
        ("NaN", "expected a value", 0),
        ("Infinity", "expected a value", 0),
        ("'a'", "expected a value", 0),
        ("truee", "nothing but white space may follow the value", 4),
        ("1 2", "nothing but white space may follow the value", 2),
        ("[]]", "nothing but white space may follow the value", 2),
        ("{}\0", "nothing but white space may follow the value", 2),
        ("\u{FEFF}{}", "a byte order mark is not allowed", 0),
        ("\u{A0}1", "expected a value", 0),
        ("\u{C}1", "expected a value", 0),
        ("/**/1", "expected a value", 0),
        ("1//", "nothing but white space may follow the value", 1),
        // Numbers.
        ("-", "the input ends where a digit was expected", 1),
        ("+1", "expected a value", 0),
        (".5", "expected a value", 0),
        ("-.5", "expected a digit", 1),
        ("-a", "expected a digit", 1),
        ("--1", "expected a digit", 1),
        ("1.", "the input ends where a digit was expected", 2),
        ("1.e1", "expected a digit", 2),
        ("1e", "the input ends where a digit was expected", 2),
        ("1e+", "the input ends where a digit was expected", 3),
        ("1e+-1", "expected a digit", 3),
        ("1.5.5", "nothing but white space may follow the value", 3),
        ("00", "a number has no leading zeros", 0),
        ("-012", "a number has no leading zeros", 1),
        ("0x10", "nothing but white space may follow the value", 1),
        ("1_000", "nothing but white space may follow the value", 1),
        ("-Infinity", "expected a digit", 1),
        ("１", "expected a value", 0),
        ("[1e309]", "the number is too large", 1),
        ("-1e309", "the number is too large", 0),
        ("1" + String(repeating: "0", count: 400), "the number is too large", 0),
        // Strings.
        (#"""#, "the input ends within a string", 1),
        (#""a"#, "the input ends within a string", 2),
        (#""\"#, "the input ends within a string", 2),
        (#""\""#, "the input ends within a string", 3),
        (#""\a""#, "this escape is not known", 1),
        (#""\'""#, "this escape is not known", 1),
        (#""\x41""#, "this escape is not known", 1),
        (#""\U0041""#, "this escape is not known", 1),
        (#""\u004""#, "expected four hexadecimal digits after \\u", 6),
        (#""\u00g0""#, "expected four hexadecimal digits after \\u", 5),
        (#""\u+041""#, "expected four hexadecimal digits after \\u", 3),
        (#""\u"#, "the input ends where four hexadecimal digits after \\u was expected", 3),
        (#""ab\ud800""#, "this escape is half of a surrogate pair, the other half is missing", 3),
        (#""\udc00""#, "this escape is half of a surrogate pair, the other half is missing", 1),
        (#""\udc00\ud800""#, "this escape is half of a surrogate pair, the other half is missing", 1),
        (#""\ud800\ud800\udc00""#, "this escape is half of a surrogate pair, the other half is missing", 1),
        (#""\ud800\u0041""#, "this escape is half of a surrogate pair, the other half is missing", 1),
        (#""\ud800\n""#, "this escape is half of a surrogate pair, the other half is missing", 1),
        ("\"a\nb\"", "a control character in a string must be escaped", 2),
        ("\"\0\"", "a control character in a string must be escaped", 1),
        ("\"\u{1F}\"", "a control character in a string must be escaped", 1),
        // Arrays and objects.
        ("[", "the input ends where a value was expected", 1),
        ("[1", "the input ends where ',' or ']' was expected", 2),
        ("[1,", "the input ends where a value was expected", 3),
        ("[1,]", "expected a value", 3),
        ("[,1]", "expected a value", 1),
        ("[1 2]", "expected ',' or ']'", 3),
        ("[1}", "expected ',' or ']'", 2),
        ("{", "the input ends where a member's name in quotes was expected", 1),
        ("{1:2}", "expected a member's name in quotes", 1),
        ("{a:2}", "expected a member's name in quotes", 1),
        (#"{"a"}"#, "expected ':'", 4),
        (#"{"a" 1}"#, "expected ':'", 5),
        (#"{"a":}"#, "expected a value", 5),
        (#"{"a":1"#, "the input ends where ',' or '}' was expected", 6),
        (#"{"a":1,}"#, "expected a member's name in quotes", 7),
        (#"{"a":1]"#, "expected ',' or '}'", 6),
        (#"{"a":1,"b":2,"a":3}"#, "the object has a member of this name already", 13),
        (#"{"a":1,"\u0061":2}"#, "the object has a member of this name already", 7),
    ]

    @Test(arguments: refusals)
    func `an invalid text is refused with reason and place`(text: String, reason: String, offset: Int) {
        let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: text) }
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    /// Bytes in a string, and the offset of the first that is not UTF-8.
    static let malformed: [([UInt8], Int)] = [
        ([0x80], 0),  // A continuation without a start.
        ([0xBF], 0),
        ([0x61, 0xC0, 0x80], 1),  // Overlong NUL.
        ([0xC1, 0xBF], 0),  // Overlong DEL.
        ([0xE0, 0x80, 0x80], 0),
        ([0xE0, 0x9F, 0xBF], 0),  // Overlong U+07FF.
        ([0xF0, 0x80, 0x80, 0x80], 0),
        ([0xF0, 0x8F, 0xBF, 0xBF], 0),  // Overlong U+FFFF.
        ([0xED, 0xA0, 0x80], 0),  // U+D800.
        ([0xED, 0xBF, 0xBF], 0),  // U+DFFF.
        ([0xF4, 0x90, 0x80, 0x80], 0),  // U+110000.
        ([0xF5, 0x80, 0x80, 0x80], 0),
        ([0xF8, 0x88, 0x80, 0x80, 0x80], 0),
        ([0xFE], 0),
        ([0xFF], 0),
        ([0xC3], 0),  // Truncated by the quote.
        ([0xE2, 0x82], 0),
        ([0xF0, 0x9F, 0x98], 0),
        ([0xC3, 0xA9, 0xE2, 0x82, 0x41], 2),
    ]

    @Test(arguments: malformed)
    func `a string that is not UTF-8 is refused where it begins to be wrong`(bytes: [UInt8], offset: Int) {
        for text in [[0x22] + bytes + [0x22], [0x22] + bytes] {
            let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: text) }
            #expect(error?.reason == "not valid UTF-8")
            #expect(error?.offset == offset + 1)
        }
    }

    @Test func `an error tells line and column in bytes`() {
        let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: "{\"é\":1,\r\n \"ü\": x}") }
        #expect(error?.line == 2)
        #expect(error?.column == 8)
        #expect(error?.description == "line 2, column 8: expected a value")
    }

    @Test func `an error never shows the text`() {
        for text in [#"{"password":secret}"#, #"["secret" "secret"]"#, #""secret\ud800secret""#, "secret"] {
            let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: text) }
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test func `members keep their order`() throws {
        let value = try JSONValue(parsing: #"{"z":1,"a":2,"m":3,"0":4,"b":5,"y":6,"c":7,"x":8,"d":9,"w":10,"e":11}"#)
        #expect(value.objectValue?.names == ["z", "a", "m", "0", "b", "y", "c", "x", "d", "w", "e"])
    }

    @Test func `names that differ in their code units are different names`() throws {
        let value = try JSONValue(parsing: #"{"\u00e9":1,"e\u0301":2}"#)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test func `the duplicate of any member of a large object is refused`() throws {
        let members = (0..<40).map { #""\#($0)":0"# }
        #expect(try JSONValue(parsing: "{\(members.joined(separator: ","))}").objectValue?.count == 40)
        for duplicate in members {
            let error = #expect(throws: JSONParseError.self) {
                try JSONValue(parsing: "{\((members + [duplicate]).joined(separator: ","))}")
            }
            #expect(error?.reason == "the object has a member of this name already")
        }
    }
}
