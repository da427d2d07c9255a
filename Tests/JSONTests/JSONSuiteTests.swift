import JSON
import Testing

/// Whole texts by their kind, as "Parsing JSON is a minefield" (Nicolas Seriot, 2016) sorts them: `y` must be accepted,
/// `n` must be refused, `i` is left to the implementation, and what ours does is said here.
@Suite struct JSONSuiteTests {
    static let accepted: [Sample] = [
        Sample("y_array_empty_string", #"[""]"#),
        Sample("y_array_heterogeneous", #"[null, 1, "1", {}]"#),
        Sample("y_array_trailing_space", "[2] "),
        Sample("y_array_leading_newline", "\n[1]"),
        Sample("y_number_minus_zero_exponent", "[-0e-0]"),
        Sample("y_number_capital_exponent", "[1E22]"),
        Sample(
            "y_number_close_to_zero",
            "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"
        ),
        Sample(
            "y_object_long_strings",
            #"{"x":[{"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}],"id":"xxxxxxxxxxxxxxxxxxxx"}"#
        ),
        Sample("y_object_empty_name", #"{"":0}"#),
        Sample("y_object_escaped_null_in_name", #"{"foo\u0000bar":42}"#),
        Sample("y_object_extreme_numbers", #"{"min":-1.0e+28,"max":1.0e+28}"#),
        Sample("y_string_double_escapes", #"["\\a","\\n"]"#),
        Sample("y_string_escaped_noncharacter", #"["\uFFFF"]"#),
        Sample("y_string_noncharacter_U+10FFFF", "[\"\u{10FFFF}\"]"),
        Sample("y_string_del", "[\"\u{7F}\"]"),
        Sample("y_string_unescaped_line_separator", "[\"\u{2028}\"]"),
        Sample("y_string_comments", #"["a/*b*/c/*d//e"]"#),
        Sample("y_structure_lonely_string", #""asd""#),
        Sample("y_structure_lonely_negative_real", "-0.1"),
        Sample("y_structure_whitespace_array", " [] "),
        Sample("i_number_real_underflow", "[123e-10000000]"),
        Sample("i_number_huge_integer", "[-237462374673276894279832749832423479823246327846]"),
        Sample("i_object_canonically_equal_names", "{\"\u{E9}\":0,\"e\u{301}\":0}"),
    ]

    static let refused: [Sample] = [
        Sample("n_array_colon_instead_of_comma", #"["": 1]"#),
        Sample("n_array_double_comma", "[1,,2]"),
        Sample("n_array_just_minus", "[-]"),
        Sample("n_array_newlines_unclosed", "[\"a\",\n4\n,1,"),
        Sample("n_array_star_inside", "[*]"),
        Sample("n_array_invalid_utf8", bytes("[") + [0xFF] + bytes("]")),
        Sample("n_incomplete_true", "[tru]"),
        Sample("n_number_plus_plus", "[++1234]"),
        Sample("n_number_minus_space", "[- 1]"),
        Sample("n_number_exponent_without_digits", "[0e+]"),
        Sample("n_number_dot_without_fraction", "[-2.]"),
        Sample("n_number_hexadecimal", "[0x42]"),
        Sample("n_number_infinity", "[Infinity]"),
        Sample("n_number_minus_nan", "[-NaN]"),
        Sample("n_number_invalid_utf8_after_exponent", bytes("[1e1") + [0xE5] + bytes("]")),
        Sample("n_object_bad_value", #"["x", truth]"#),
        Sample("n_object_comma_instead_of_colon", #"{"x", null}"#),
        Sample("n_object_single_quotes", "{'a':0}"),
        Sample("n_object_trailing_comment", #"{"a":"b"}/**/"#),
        Sample("n_object_two_commas", #"{"a":"b",,"c":"d"}"#),
        Sample("n_object_unquoted_name", #"{a: "b"}"#),
        Sample("n_object_garbage_at_end", #"{"a":"b"}#"#),
        Sample("n_string_escaped_control_bar", ##"["\"## + "\t" + ##""]"##),
        Sample("n_string_invalid_backslash_escape", #"["\e"]"#),
        Sample("n_string_incomplete_surrogate_escape", #"["\uD834\uDd"]"#),
        Sample("n_string_incomplete_escaped_character", #"["\u00A"]"#),
        Sample("n_string_unescaped_tab", "[\"\t\"]"),
        Sample("n_string_leading_escaped_thin_space", #"[\u0020"asd"]"#),
        Sample("n_string_with_trailing_garbage", #""x"x"#),
        Sample("n_structure_100000_opening_arrays", Array(repeating: UInt8(ascii: "["), count: 100_000)),
        Sample("n_structure_angle_brackets", "<null>"),
        Sample("n_structure_byte_order_mark_only", [0xEF, 0xBB, 0xBF]),
        Sample("n_structure_comma_instead_of_closing_brace", #"{"x": true,"#),
        Sample("n_structure_null_byte_outside_string", "[\0]"),
        Sample("n_structure_no_data", []),
        Sample("n_structure_single_star", "*"),
        Sample("n_structure_unicode_identifier", "å"),
        Sample("n_structure_word_joiner", "[\u{2060}]"),
        Sample("n_structure_form_feed", "[\u{C}]"),
        Sample("i_number_positive_overflow", "[1.5e+9999]"),
        Sample("i_string_byte_order_mark_before_text", [0xEF, 0xBB, 0xBF] + bytes("{}")),
        Sample("i_string_first_surrogate_but_second_missing", #"["\uDADA"]"#),
        Sample("i_string_inverted_surrogates", #"["\uDd1e\uD834"]"#),
        Sample("i_string_overlong_sequence_of_two_bytes", bytes("[\"") + [0xC0, 0xAF] + bytes("\"]")),
        Sample("i_string_surrogate_in_utf8", bytes("[\"") + [0xED, 0xA0, 0x80] + bytes("\"]")),
        Sample("i_string_utf16_little_endian", [0xFF, 0xFE, 0x5B, 0, 0x5D, 0]),
        Sample("i_string_utf16_without_mark", [0, 0x5B, 0, 0x5D]),
        Sample("i_object_duplicated_name", #"{"a":"b","a":"b"}"#),
        Sample(
            "i_structure_500_nested_arrays",
            String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        ),
    ]

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: accepted)
    func `is accepted`(sample: Sample) {
        #expect(throws: Never.self) { try JSONValue(parsing: sample.bytes) }
    }

    @Test(arguments: refused)
    func `is refused`(sample: Sample) {
        #expect(throws: JSONParseError.self) { try JSONValue(parsing: sample.bytes) }
    }
}
