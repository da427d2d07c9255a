import Testing

@testable import SupervisorHTTP

@Suite struct WireTests {
    @Test(
        "Dates are those of RFC 9110",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)]
    )
    func date(_ seconds: Int64, _ text: String) {
        #expect(HTTPDate.format(seconds) == text)
        var cached = HTTPDate()
        #expect(cached.text(at: seconds) == text)
        #expect(cached.text(at: seconds + 1) != text)
        #expect(cached.text(at: seconds) == text)
    }

    @Test(
        "Texts keep to what every proxy passes",
        arguments: [
            ("It's fine: yes/no, really-so?!.", "It's fine: yes/no, really-so?!."), ("a\r\nb", "a b"), ("\"x\"", "'x'"),
            ("my_app (main); k=v", "my-app main , k:v"), ("  a   b  ", "a b"), ("naïve", "na ve"), ("", ""),
            ("\u{1F600}", ""),
            ("a\u{0}b<script>", "a b script"), ("C:\\x", "C:/x"),
        ]
    )
    func sanitised(_ text: String, _ expected: String) {
        #expect(APIText.sanitised(text) == expected)
    }

    @Test("Ids of requests are short, valid and all different")
    func ids() {
        var ids = RequestIDs()
        let made = (0..<1000).map { _ in ids.id(given: nil) }
        #expect(Set(made).count == 1000)
        #expect(made.allSatisfy { RequestIDs.isValid($0) && $0.count <= 12 })
    }
}
