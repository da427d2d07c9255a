import JSON
import Testing

@testable import SupervisorCore

/// What a PATCH says, and what it makes of what is there.
struct HostConfigurationTests {
    /// A body that is wrong, and the field that is named for it.
    struct Bad: Sendable, CustomTestStringConvertible {
        var body: String
        var field: String
        var testDescription: String { body }

        init(_ body: String, _ field: String) {
            self.body = body
            self.field = field
        }

        /// `value` is JSON.
        static func proxy(_ member: String, _ value: String) -> Bad {
            Bad(#"{"network":{"proxy":{"\#(member)":\#(value)}}}"#, "network.proxy.\(member)")
        }

        static func hostname(_ value: String) -> Bad {
            Bad(#"{"network":{"hostname":\#(value)}}"#, "network.hostname")
        }
    }

    static let ports: [Bad] = [
        "0", "-1", "65536", "1.5", "99999999999999999999", "true", "[]", "{}", #""""#, #""0""#,
        #""010""#, #""0x1F90""#, #"" 80""#, #""80 ""#, #""+80""#, #""-80""#, #""65536""#, #""8_0""#, #""80\n""#,
        #""80\u0000""#, #""٨٠""#, #""８０""#, #""eighty""#, #""80;81""#, #""80.0""#, #""99999999999999999999""#,
    ].map { .proxy("port", $0) }

    static let addresses: [Bad] = [
        "1", "true", "[]", #""""#, #"" ""#, #""10.0.0""#, #""10.0.0.256""#, #""010.0.0.1""#, #""10.0.0.08""#,
        #""0x7f.0.0.1""#, #""0x7f.1""#, #""2130706433""#, #""10.0.0.1.""#, #""10.0.0.1 ""#, #""10.0.0.1\n""#,
        #""10.0.0.1:8080""#, #""::1""#, #""[::1]""#, #""fe80::1%eth0""#, #""host name""#,
        #""-host""#, #""host-""#, #""a..b""#, #""münchen""#, #""host;port=1""#, #""host\";login=\"x""#,
        #""host\n}\nbase { daemon = on; }""#, #""host{""#, #""host//x""#, #""host\u0000""#, #""host\u2028""#,
        "\"" + String(repeating: "a", count: 64) + ".org\"",
        "\"" + String(repeating: "abcdefgh.", count: 30) + "org\"",
    ].map { .proxy("ip", $0) }

    static let types: [Bad] = [
        "5", "true", "{}", #""""#, #""socks""#, #""SOCKS5""#, #"" socks5""#, #""socks5\n""#, #""socks5;""#,
        #""http""#, #""http-connect\u0000""#, #""direct""#,
    ].map { .proxy("type", $0) }

    static let secrets: [Bad] = ["login", "password"].flatMap { member in
        [
            "1", "true", "[]", "{}", #""""#, #""a\nb""#, #""a\rb""#, #""a\u0000b""#, #""a\tb""#, #""a\u0085b""#,
            #""a\u001bb""#, #""\u007f""#, #""{""#, #""}""#, #""=""#, #"";""#, #""//""#, #""/*""#,
            "\"" + String(repeating: "x", count: 256) + "\"", "\"" + String(repeating: "ü", count: 128) + "\"",
        ].map { .proxy(member, $0) }
    }

    static let exceptions: [Bad] = [
        "true", #""10.0.0.1""#, "{}", "[1]", "[null]", #"[""]"#, #"["10.0.0.0/33"]"#, #"["10.0.0.0/-1"]"#,
        #"["10.0.0.0/08"]"#, #"["10.0.0.0/"]"#, #"["10.0.0.0/8/8"]"#, #"["010.0.0.1"]"#, #"["host"]"#, #"["::1"]"#,
        #"["10.0.0.1\n0.0.0.0/0"]"#, #"["10.0.0.1 -j ACCEPT"]"#, #"["10.0.0.1","10.0.0.1;reboot"]"#,
        "[" + Array(repeating: #""10.0.0.1""#, count: 1025).joined(separator: ",") + "]",
    ].map { .proxy("noProxy", $0) }

    static let hostnames: [Bad] = [
        "1", "true", "[]", "{}", #"" ""#, #""a b""#, #""a_b""#, #""-a""#, #""a-""#, #"".a""#, #""a.""#, #""a..b""#,
        #""a\n""#, #""a\u0000""#, #""ä""#, #""a/b""#, #""../x""#, #""a;reboot""#, #""$(reboot)""#, #""a\u2028b""#,
        "\"" + String(repeating: "a", count: 64) + "\"", "\"" + String(repeating: "ab.", count: 22) + "\"",
    ].map { .hostname($0) }

    static let shapes = [
        Bad(#"{"network":null}"#, "network"), Bad(#"{"network":[]}"#, "network"), Bad(#"{"network":"x"}"#, "network"),
        Bad(#"{"network":{"proxy":"socks5"}}"#, "network.proxy"), Bad(#"{"network":{"proxy":[]}}"#, "network.proxy"),
        Bad(#"{"network":{"proxy":""}}"#, "network.proxy"), Bad(#"{"network":{"proxy":false}}"#, "network.proxy"),
        Bad(#"{"network":{"dns":true}}"#, "network.dns"), Bad(#"{"network":{"other":1}}"#, "network.other"),
        Bad(#"{"network":{"proxy":{"unknown":1}}}"#, "network.proxy.unknown"),
        Bad(#"{"network":{"proxy":{"port":1081,"noproxy":[]}}}"#, "network.proxy.noproxy"),
        Bad(#"{"network":{"proxy":{"dns":"resolver"}}}"#, "network.proxy.dns"),
        Bad(#"{"network":{"proxy":{"dns":1}}}"#, "network.proxy.dns"),
        Bad(#"{"network":{"hostname":"good","proxy":{"port":0}}}"#, "network.proxy.port"),
        Bad(#"{"network":{"proxy":{"port":80},"hostname":"b d"}}"#, "network.hostname"),
    ]

    static let bad = ports + addresses + types + secrets + exceptions + hostnames + shapes

    private static func object(_ text: String) throws -> JSONObject {
        try #require(try JSONValue(parsing: text).objectValue)
    }

    @Test(arguments: bad)
    func `a bad value is named by its field, and nothing is called for it`(bad: Bad) async throws {
        let body = try Self.object(bad.body)
        await Bench.run { bench in
            await bench.start()
            bench.host.proxy = ["type": "socks5", "ip": "10.0.0.1", "port": 1080]
            bench.host.forgetCalls()
            let error = try await bench.refusal { try await $0.setHostConfig(body, requestID: nil) }
            #expect(error.code == .invalidArgument)
            #expect(error.message.hasPrefix(bad.field + " ") || error.message.hasPrefix(bad.field + "["))
            #expect(bench.host.calls == [])
        }
    }

    // MARK: Merging

    struct Merge: Sendable, CustomTestStringConvertible {
        /// What GET shows of the proxy before and after.
        var before: String
        var patch: String
        /// nil: the field in question is named instead.
        var after: String?
        var field = ""
        var testDescription: String { "\(before) + \(patch)" }

        init(_ before: String, _ patch: String, _ after: String?, _ field: String = "") {
            self.before = before
            self.patch = patch
            self.after = after
            self.field = field
        }
    }

    private static let plain = #"{"ip":"10.0.0.1","port":"1080","type":"socks5"}"#
    private static let full =
        #"{"ip":"p.org","port":"8123","type":"http-connect","login":"me","password":"s","noProxy":["10.0.0.0/8"]}"#

    static let merges = [
        Merge("null", #"{"type":"socks5","ip":"10.0.0.1","port":1080}"#, plain),
        Merge("null", #"{"type":"socks5","ip":"10.0.0.1","port":"1080"}"#, plain),
        Merge("null", #"{"port":1080,"type":"socks5","ip":"10.0.0.1","login":null,"noProxy":[]}"#, plain),
        Merge("null", #"{"port":80}"#, nil, "network.proxy.type"),
        Merge("null", #"{"type":"socks4"}"#, nil, "network.proxy.ip"),
        Merge("null", #"{"type":"socks4","ip":"a.org"}"#, nil, "network.proxy.port"),
        Merge("null", #"{"login":null}"#, "null"),
        Merge("null", "null", "null"),
        Merge("null", "{}", "null"),
        Merge("null", #"{"dns":false}"#, "null"),
        Merge("null", #"{"dns":true}"#, nil, "network.proxy.type"),
        Merge(plain, "null", "null"),
        Merge(plain, "{}", "null"),
        Merge(plain, #"{"dns":false}"#, plain),
        Merge(plain, #"{"dns":true}"#, #"{"ip":"10.0.0.1","port":"1080","type":"socks5","dns":"8.8.8.8:53"}"#),
        Merge(
            plain,
            #"{"dns":"9.9.9.9:5353","ip":"web_proxy.corp.example"}"#,
            #"{"ip":"web_proxy.corp.example","port":"1080","type":"socks5","dns":"9.9.9.9:5353"}"#
        ),
        Merge(plain, #"{"port":1081}"#, #"{"ip":"10.0.0.1","port":"1081","type":"socks5"}"#),
        Merge(plain, #"{"ip":"b.org","type":"http-relay"}"#, #"{"ip":"b.org","port":"1080","type":"http-relay"}"#),
        Merge(plain, #"{"login":"me"}"#, #"{"ip":"10.0.0.1","port":"1080","type":"socks5","login":"me"}"#),
        Merge(plain, #"{"type":null}"#, nil, "network.proxy.type"),
        Merge(plain, #"{"ip":null,"port":1}"#, nil, "network.proxy.ip"),
        Merge(plain, #"{"type":null,"ip":null,"port":null}"#, "null"),
        Merge(full, #"{"type":null,"ip":null,"port":null}"#, nil, "network.proxy.type"),
        Merge(
            full,
            #"{"login":null,"password":null,"noProxy":null}"#,
            #"{"ip":"p.org","port":"8123","type":"http-connect"}"#
        ),
        Merge(
            full,
            #"{"noProxy":["1.2.3.4"],"password":"t"}"#,
            #"{"ip":"p.org","port":"8123","type":"http-connect","login":"me","password":"t","noProxy":["1.2.3.4"]}"#
        ),
        Merge(
            full,
            #"{"noProxy":[]}"#,
            #"{"ip":"p.org","port":"8123","type":"http-connect","login":"me","password":"s"}"#
        ),
    ]

    @Test(arguments: merges)
    func `a proxy is merged member by member`(merge: Merge) async throws {
        let patch = try Self.object(#"{"network":{"proxy":\#(merge.patch)}}"#)
        let before = try JSONValue(parsing: merge.before).objectValue ?? [:]
        await Bench.run { bench in
            await bench.start()
            bench.host.proxy = before
            if let port = before["port"]?.stringValue.flatMap({ Int64($0) }) {
                bench.host.proxy["port"] = .integer(port)
            }
            bench.host.forgetCalls()
            if let after = merge.after {
                try await bench.answer { try await $0.setHostConfig(patch, requestID: nil) }
                let body = try await bench.answer { try await $0.hostConfig(requestID: nil) }
                #expect(body.text == #"{"network":{"proxy":\#(after),"hostname":"former"}}"#)
                let isChanged = after != merge.before
                #expect(bench.host.calls.contains { $0 == "proxy.set" || $0 == "proxy.clear" } == isChanged)
            } else {
                let error = try await bench.refusal { try await $0.setHostConfig(patch, requestID: nil) }
                #expect(error.code == .invalidArgument)
                #expect(error.message == "\(merge.field) is missing")
                #expect(bench.host.calls == ["proxy.get"])
            }
        }
    }

    @Test(arguments: [
        (#"{"network":{"hostname":"new-name.local"}}"#, "new-name.local"),
        (#"{"network":{"hostname":null}}"#, "aaaaaaa"),
        (#"{"network":{"hostname":""}}"#, "aaaaaaa"),
        (#"{"network":{"hostname":"former"}}"#, "former"),
        (#"{"network":{}}"#, "former"),
        (#"{"other":{"hostname":"x"}}"#, "former"),
        ("{}", "former"),
    ])
    func `a hostname is taken as it is, or is the start of the uuid`(patch: String, hostname: String) async throws {
        let patch = try Self.object(patch)
        await Bench.run { bench in
            await bench.start()
            bench.host.forgetCalls()
            try await bench.answer { try await $0.setHostConfig(patch, requestID: nil) }
            #expect(bench.host.hostname == hostname)
            #expect(bench.host.calls.contains("hostname.set") == (hostname != "former"))
            #expect(!bench.host.calls.contains("proxy.get"), "nobody spoke of the proxy")
        }
    }
}
