import Testing

@testable import supervisor_plugin_redsocks

@Suite struct NoProxyListTests {
    @Test(arguments: [
        ("", []), ("1.2.3.4\n", ["1.2.3.4"]), ("1.2.3.4\n10.0.0.0/8", ["1.2.3.4", "10.0.0.0/8"]),
        ("# a\n\n 1.2.3.4 # b\r\n\t\n#5.6.7.8\n", ["1.2.3.4"]),
    ])
    func `a list is read with its comments`(text: String, list: [String]) throws {
        #expect(try NoProxyList.parse(Array(text.utf8)) == list)
    }

    @Test(arguments: [
        ("a\n", 1), ("1.2.3.4\n1.2.3.4 5.6.7.8\n", 2), ("#\n#\n10.0.0.0/33\n", 3), ("1.2.3.04", 1), ("::1\n", 1),
    ])
    func `a line that is no address is told`(text: String, line: Int) {
        #expect(throws: NoProxyList.SyntaxError(line: line)) { try NoProxyList.parse(Array(text.utf8)) }
    }

    @Test func `an empty list is no file`() {
        #expect(NoProxyList.encode([]) == nil)
        #expect(NoProxyList.encode(["1.2.3.4", "10.0.0.0/8"]) == Array("1.2.3.4\n10.0.0.0/8\n".utf8))
    }
}
