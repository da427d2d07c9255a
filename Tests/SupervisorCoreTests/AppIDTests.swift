import Testing

@testable import SupervisorCore

struct AppIDTests {
    @Test(arguments: [("0", 0), ("1", 1), ("2167", 2167), ("007", 7), ("9223372036854775807", Int64.max)])
    func `digits are an id`(text: String, number: Int64) {
        #expect(AppID(digits: text)?.number == number)
    }

    @Test(arguments: [
        "", " ", "+1", "-1", "1 ", " 1", "1.0", "1e3", "0x1", "a", "1a", "9223372036854775808", "\u{0661}", "\u{FF11}",
        "1\u{0}", "1\n",
    ])
    func `anything else is not`(text: String) {
        #expect(AppID(digits: text) == nil)
    }

    @Test func `ids are ordered by number and written as digits`() {
        #expect([AppID(10), AppID(9), AppID(100)].sorted().map(\.description) == ["9", "10", "100"])
    }
}
