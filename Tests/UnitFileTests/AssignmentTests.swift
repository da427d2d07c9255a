import Testing
import UnitFile

@Suite struct AssignmentTests {
    static func assignment(_ text: String) -> UnitFile.Assignment {
        UnitFile.Assignment(section: "S", key: "K", text: text, location: .init(file: "/f.conf", line: 7))
    }

    @Test(arguments: [
        ("1", true), ("yes", true), ("true", true), ("on", true), ("YES", true), ("On", true),
        ("0", false), ("no", false), ("false", false), ("off", false), ("False", false),
    ])
    func `a boolean is one of eight words`(text: String, value: Bool) throws {
        #expect(try Self.assignment(text).bool() == value)
    }

    @Test(arguments: ["", "2", "y", "yes no", "enabled", "\"yes\""])
    func `anything else is no boolean`(text: String) {
        let error = #expect(throws: UnitFileError.self) { try Self.assignment(text).bool() }
        #expect(error?.code == .invalidValue)
        #expect(error?.description.hasPrefix("/f.conf:7: [S] K: ") == true)
        #expect(error?.description.hasSuffix("; allowed: yes, no, true, false, on, off, 1, 0") == true)
    }

    @Test(arguments: [("0", 0), ("-5", -5), ("10", 10), ("007", 7), ("-0", 0)])
    func `an integer within the range is taken`(text: String, value: Int) throws {
        #expect(try Self.assignment(text).integer(in: -5...10) == value)
    }

    @Test(arguments: [
        ("11", "11 is out of range"),
        ("-6", "-6 is out of range"),
        ("99999999999999999999999", "\"99999999999999999999999\" is out of range"),
        ("", "\"\" is not a whole number"),
        ("-", "\"-\" is not a whole number"),
        ("+5", "\"+5\" is not a whole number"),
        ("1.5", "\"1.5\" is not a whole number"),
        ("0x1", "\"0x1\" is not a whole number"),
        ("1 2", "\"1 2\" is not a whole number"),
        ("５", "\"５\" is not a whole number"),
        ("a\u{1B}\nb", "\"a\\u{1B}\\nb\" is not a whole number"),
        (String(repeating: "x", count: 1000), "\"\(String(repeating: "x", count: 60))…\" is not a whole number"),
    ])
    func `any other integer is refused`(text: String, reason: String) {
        let error = #expect(throws: UnitFileError.self) { try Self.assignment(text).integer(in: -5...10) }
        #expect(error?.description == "/f.conf:7: [S] K: \(reason); allowed: -5 to 10")
    }

    @Test(
        arguments: [
            ("0", .zero),
            ("5", .seconds(5)),
            ("5s", .seconds(5)),
            ("5 s", .seconds(5)),
            ("5sec", .seconds(5)),
            ("1second", .seconds(1)),
            ("2seconds", .seconds(2)),
            ("1min 30s", .seconds(90)),
            ("1min30s", .seconds(90)),
            ("30s 1min", .seconds(90)),
            ("1m", .seconds(60)),
            ("2 minutes", .seconds(120)),
            ("1h", .seconds(3600)),
            ("1hr 1hour 1hours", .seconds(10800)),
            ("1d", .seconds(86400)),
            ("1day 1days", .seconds(172_800)),
            ("1w", .seconds(604_800)),
            ("250ms", .milliseconds(250)),
            ("55s500ms", .milliseconds(55500)),
            ("1msec 1us 1usec 1µs", .microseconds(1003)),
            ("9223372036854775807us", .microseconds(Int64.max)),
        ] as [(String, Duration)]
    )
    func `a time span is the sum of its parts`(text: String, value: Duration) throws {
        #expect(try Self.assignment(text).duration(in: .zero...(.seconds(1_000_000_000_000_000))) == value)
    }

    @Test(arguments: [
        "", "s", "5x", "-5", "+5", "1.5s", "5 10", "1min 30", "30 1min", "5S", "infinity", "1M", "1y", "5s,", "５",
        "9223372036854775808us", "9223372036855s", "9223372036854775807us 1us", "99999999999999999999",
    ])
    func `what is no time span is refused`(text: String) {
        let error = #expect(throws: UnitFileError.self) {
            try Self.assignment(text).duration(in: .seconds(1)...(.seconds(86400)))
        }
        let expected = "\"\(text)\" is not a time span such as 90, 5s or 1min 30s; allowed: 1s to 1d"
        #expect(error?.description == "/f.conf:7: [S] K: \(expected)")
    }

    @Test(arguments: ["0", "999ms", "86401", "1d 1us"])
    func `a time span out of range is refused`(text: String) {
        let error = #expect(throws: UnitFileError.self) {
            try Self.assignment(text).duration(in: .seconds(1)...(.seconds(86400)))
        }
        #expect(error?.description == "/f.conf:7: [S] K: \"\(text)\" is out of range; allowed: 1s to 1d")
    }

    @Test func `the bounds of a range are shown in readable units`() {
        let error = #expect(throws: UnitFileError.self) {
            try Self.assignment("9h").duration(in: .milliseconds(1500)...(.seconds(120)))
        }
        #expect(error?.description.hasSuffix("allowed: 1500ms to 2min") == true)
        let other = #expect(throws: UnitFileError.self) {
            try Self.assignment("9h").duration(in: .zero...(.seconds(7200)))
        }
        #expect(other?.description.hasSuffix("allowed: 0ms to 2h") == true)
    }

    @Test(arguments: [
        ("", []),
        ("a", ["a"]),
        ("a b\t c", ["a", "b", "c"]),
        (#""a b" c"#, ["a b", "c"]),
        (#"'a "b"' "c'd""#, [#"a "b""#, "c'd"]),
        (#""" ''"#, ["", ""]),
        (#"a"b"#, [#"a"b"#]),
        (#"it's"#, ["it's"]),
        (#"a\sb "c\td" \\ \" \' \a\b\f\n\r\v"#, ["a b", "c\td", "\\", "\"", "'", "\u{7}\u{8}\u{C}\n\r\u{B}"]),
        ("ä ö", ["ä", "ö"]),
    ])
    func `a list is split at white space that is not quoted`(text: String, words: [String]) throws {
        #expect(try Self.assignment(text).words() == words)
    }

    @Test(arguments: [
        (#""a"#, "a quote is not closed"),
        (#"a 'b c"#, "a quote is not closed"),
        (#""a"b"#, "white space must follow a closing quote"),
        (#"a\x41"#, "an escape is not known"),
        (#"a\"#, "an escape is not known"),
        (#""a\"#, "an escape is not known"),
    ])
    func `a list with broken quoting is refused`(text: String, reason: String) {
        let error = #expect(throws: UnitFileError.self) { try Self.assignment(text).words() }
        #expect(error?.description.hasPrefix("/f.conf:7: [S] K: \(reason); allowed: ") == true)
    }
}
