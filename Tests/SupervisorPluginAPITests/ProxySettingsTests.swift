import SupervisorPluginAPI
import Testing

@Suite struct ProxySettingsTests {
    static func settings(_ member: String, _ value: JSONValue) throws(PluginError) -> ProxySettings {
        var json: JSONObject = [
            "type": "socks5", "ip": "192.168.0.199", "port": 8123, "login": "user", "password": "secret",
            "noProxy": ["10.0.0.0/8"],
        ]
        json[member] = value
        return try ProxySettings(json: json)
    }

    static let good: [(String, JSONValue)] = [
        ("type", "socks4"), ("type", "http-connect"), ("type", "http-relay"),
        ("ip", "0.0.0.0"), ("ip", "255.255.255.255"), ("ip", "a"), ("ip", "proxy"), ("ip", "my-proxy.example.com"),
        ("ip", "3com.example"), ("ip", "10.example"), ("ip", "PROXY"), ("ip", "web_proxy.corp.example"),
        ("ip", "_proxy"), ("ip", "a_"), ("dns", .null), ("dns", false), ("dns", "9.9.9.9:53"),
        ("dns", "10.0.0.1:65535"), ("ip", "xn--bcher-kva.example"), ("ip", "a1.b2"),
        ("port", 1), ("port", 65535),
        ("login", .null), ("login", "a"), ("login", #"us er"#), ("login", #"a"; } redsocks { type = "socks4"#),
        ("password", "p#a;s"), ("password", "//a"), ("password", "{}"), ("password", "/*a*/"), ("password", " "),
        ("password", "\\"), ("password", "\""), ("password", "\\\""), ("password", "\u{E9}\u{1F600}\u{2028}"),
        ("password", .string(String(repeating: "x", count: 255))), ("password", "/"), ("password", "=="),
        ("noProxy", .null), ("noProxy", []), ("noProxy", ["1.2.3.4", "0.0.0.0/0", "1.2.3.4/32"]),
        ("unknown", "ignored"),
    ]

    @Test(arguments: good)
    func `a good value is taken and comes back`(member: String, value: JSONValue) throws {
        let settings = try Self.settings(member, value)
        #expect(try ProxySettings(json: settings.json) == settings)
        if let text = value.stringValue, member != "unknown" { #expect(settings.json[member] == .string(text)) }
    }

    static let bad: [(String, JSONValue)] = [
        ("type", .null), ("type", ""), ("type", "SOCKS5"), ("type", "socks5 "), ("type", "http"), ("type", 5),
        ("type", "socks5\"; }"), ("type", "socks5\n"), ("type", "direct"),
        ("ip", .null), ("ip", ""), ("ip", " "), ("ip", "1"), ("ip", "127.1"), ("ip", "127.0.0"), ("ip", "127.0.0.1.1"),
        ("ip", "010.0.0.1"), ("ip", "1.2.3.04"), ("ip", "256.0.0.1"), ("ip", "1.2.3."), ("ip", ".1.2.3"),
        ("ip", "1..2.3"),
        ("ip", "0x7f.1"), ("ip", "0x7f000001"), ("ip", "1.2.3.0x4"), ("ip", "1.2.3.4 x"), ("ip", "1.2.3.4\n"),
        ("ip", "::1"), ("ip", "[::1]"), ("ip", "-a"), ("ip", "a-"), ("ip", "a..b"), ("ip", "a."),
        ("ip", "1_2"), ("dns", 1), ("dns", ""), ("dns", "9.9.9.9"), ("dns", "9.9.9.9:0"), ("dns", "9.9.9.9:65536"),
        ("dns", "dns.example:53"), ("dns", "9.9.9.9:053"), ("dns", "9.9.9.9:53:1"), ("dns", "::1:53"),
        ("ip", "a b"),
        ("ip", "a;b"), ("ip", "a\"b"), ("ip", "b\u{FC}cher.example"), ("ip", "\u{661}.2.3.4"), ("ip", "{"),
        ("ip", "//"),
        ("ip", "http://proxy"), ("ip", "proxy:80"), ("ip", "a\0b"), ("ip", 1),
        ("ip", .string(String(repeating: "a", count: 64))),
        ("ip", .string(Array(repeating: "abcdefg", count: 33).joined(separator: "."))),
        ("port", .null), ("port", 0), ("port", -1), ("port", 65536), ("port", 80.5), ("port", "8123"), ("port", true),
        ("login", ""), ("login", "a\nb"), ("login", "a\rb"), ("login", "a\tb"), ("login", "a\0"), ("login", "\u{7F}"),
        ("login", "\u{85}"), ("login", "{"), ("login", 1), ("login", ["a"]),
        ("login", .string(String(repeating: "x", count: 256))),
        ("login", .string(String(repeating: "\u{E9}", count: 128))),
        ("password", "\n"), ("password", "}"), ("password", "="), ("password", ";"), ("password", "//"),
        ("password", "/*"),
        ("password", "x\"; }\nredudp {"), ("password", false),
        ("noProxy", "10.0.0.0/8"), ("noProxy", [1]), ("noProxy", [""]), ("noProxy", ["a"]),
        ("noProxy", ["10.0.0.0/33"]),
        ("noProxy", ["10.0.0.0/08"]), ("noProxy", ["10.0.0.0/"]), ("noProxy", ["10.0.0.0/8/8"]),
        ("noProxy", ["10.0.0/8"]),
        ("noProxy", ["1.2.3.4\n5.6.7.8"]), ("noProxy", ["1.2.3.4 "]), ("noProxy", ["::/0"]), ("noProxy", ["010.0.0.1"]),
        ("noProxy", ["1.2.3.4", "example.com"]), ("noProxy", ["10.0.0.0/255.0.0.0"]), ("noProxy", ["1.2.3.4 }; drop"]),
        ("noProxy", .array(Array(repeating: "1.2.3.4", count: 1025))), ("noProxy", [:]),
    ]

    @Test(arguments: bad)
    func `a bad value is refused by its name and not shown`(member: String, value: JSONValue) throws {
        let error = #expect(throws: PluginError.self) { try Self.settings(member, value) }
        #expect(error?.reason == .invalidArgument)
        #expect(error?.message.hasPrefix(member) == true, "\(error?.message ?? "")")
        if member == "login" || member == "password", let text = value.stringValue, text.utf8.count > 2 {
            #expect(error?.message.contains(text) == false)
        }
    }

    @Test func `dns true is the standard resolver`() throws {
        #expect(try Self.settings("dns", true).dns == "8.8.8.8:53")
    }

    @Test func `an address is one of four plain decimals`() {
        for text in ["1.2.3.4", "0.0.0.0", "255.255.255.255"] { #expect(IPv4Network.isAddress(text)) }
        for text in ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/8", "+1.2.3.4", "1.2.3.0000004"] {
            #expect(!IPv4Network.isAddress(text))
        }
    }
}
