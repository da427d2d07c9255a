import Glibc
import SupervisorPluginAPI
import TestSupport
import Testing

@testable import supervisor_plugin_redsocks

@Suite(.timeLimit(.minutes(2))) struct RedsocksConfigurationTests {
    typealias Kind = RedsocksSyntaxError.Kind

    static func parse(_ text: String) throws -> RedsocksConfiguration {
        try RedsocksConfiguration(parsing: Array(text.utf8))
    }

    /// The value of `k` in a section `s` that holds only the text.
    static func value(_ text: String) throws -> [UInt8]? {
        try parse("s {\n\(text)\n}\n").sections.first?.entry("k")?.value
    }

    // MARK: Reading

    @Test(arguments: [
        (#"k = "a b";"#, "a b"), (#"k "a";"#, "a"), (#"k = = "a";"#, "a"), (#"k "a" =;"#, "a"), (#""k" = a;"#, "a"),
        (#"k = a.b-c_d;"#, "a.b-c_d"), ("k = 10.0.0.1/8;", "10.0.0.1/8"), ("k=1080;", "1080"), ("k\n=\n1\n;", "1"),
        ("k = 1080// c\n;", "1080"), ("k = 1080/* c */;", "1080"), ("k = a/* ; */;", "a"),
        ("/* a\n* / b */ k = a;", "a"),
        ("k = a; // k = b;", "a"), (#"k = "//a";"#, "//a"), (#"k = "a;}";"#, "a;}"), (#"k = "";"#, ""),
        (#"k = "\n\t\r\\\'\"";"#, "\n\t\r\\'\""), ("k = \"a\nb\";", "a\nb"), ("k = a; k = b;", "b"),
        ("k\r\n=\ta\u{B};\u{C}\r", "a"), ("k = \"\u{FC}\u{2028}\u{85}\";", "\u{FC}\u{2028}\u{85}"),
        ("k = \"//\" a\n b;", "b"), ("k = \"/*\" a */ b;", "b"), (#"k "=" a;"#, "a"), (#"k = a ";""#, "a"),
    ])
    func `a value is read as redsocks reads it`(text: String, value: String) throws {
        #expect(try Self.value(text) == Array(value.utf8))
    }

    @Test(arguments: [
        ("s { k = a }\n", Kind.missingSemicolon, 1), ("s {\nk = a\nj = b;\n}\n", .missingSemicolon, 3),
        ("s {\n;\n}\n", .emptyStatement, 2), ("s { k = a;; }\n", .emptyStatement, 1),
        ("s {\nk = ;}\n", .keyWithoutValue, 2),
        ("s { = a; }\n", .assignmentWithoutKey, 1), ("k = a;\n", .outsideOfSection, 1),
        ("; s {}\n", .outsideOfSection, 1),
        ("\n\ns {\n", .unclosedSection, 3), ("s {\nk = a;\n}", .unclosedSection, 1), ("}\n", .nothingToClose, 1),
        ("{ }\n", .sectionWithoutName, 1), ("s { t { } }\n", .sectionInSection, 1),
        ("s t { }\n", .nameWithoutSection, 1),
        ("s { }\nt\n", .nameWithoutSection, 2), ("# c\n", .unexpectedByte, 1), ("\u{FEFF}s { }\n", .unexpectedByte, 1),
        ("s {\n k = ä;\n}\n", .unexpectedByte, 2), ("s { k = a+b; }\n", .unexpectedByte, 1),
        ("s { k = /a; }\n", .unexpectedByte, 1), ("s { k = 1/a; }\n", .unfinishedNumber, 1),
        ("s {\nk = \"\\x\"; }\n", .unknownEscape, 2), ("s { k = \"a\n\\\n\"; }\n", .unknownEscape, 2),
        ("s {\nk = \"a\n;\n}\n", .unclosedQuote, 2), ("s { k = \"a\0\"; }\n", .nulByte, 1), ("s {\n\0}\n", .nulByte, 2),
        ("s { k = \"}\"; }\n", .missingSemicolon, 1), ("s { k = \"{\"; }\n", .sectionInSection, 1),
        ("s { k = 12ab; }\n", .missingSemicolon, 1), ("s { k = \";\"; }\n", .keyWithoutValue, 1),
        ("s { k = \"=\"; }\n", .keyWithoutValue, 1), ("s { k = \"//\";\n }\n", .missingSemicolon, 2),
    ])
    func `what is wrong is told with its line`(text: String, kind: Kind, line: Int) {
        #expect(throws: RedsocksSyntaxError(kind: kind, line: line)) { try Self.parse(text) }
    }

    @Test func `a last line without line feed is not there`() throws {
        #expect(try Self.parse("s { k = a; }\nt { ").sections.map(\.name) == ["s"])
        #expect(try Self.parse("s { }").sections.isEmpty)
        #expect(try Self.parse("").sections.isEmpty)
    }

    @Test(arguments: ["\"t { }\n", "1/x t { }\n"])
    func `what follows an unfinished word between sections is not there`(text: String) throws {
        #expect(try Self.parse("s { k = a; }\n" + text).sections.map(\.name) == ["s"])
    }

    @Test func `a comment that is not closed goes on to the end`() throws {
        #expect(try Self.parse("s { k = a; }\n/* t {\n").sections.map(\.name) == ["s"])
    }

    // MARK: Proxies

    static let resinOS = """
        base {
            log_debug = off;
            log_info = on;
            log = stderr;
            daemon = off;
            user = redsocks;
            group = redsocks;
            redirector = iptables;
        }

        redsocks {
            type = socks5;
            ip = 192.168.0.199;
            port = 8123;
            local_ip = 127.0.0.1;
            local_port = 12345;
            /* of the
               company */
            login = "user"; // said "root" before
            password = pazzw0rd;
        }

        """

    @Test func `a file of resinOS is read`() throws {
        let settings = try Self.parse(Self.resinOS).settings(noProxy: ["10.0.0.0/8"])
        let expected = try ProxySettings(
            type: "socks5",
            ip: "192.168.0.199",
            port: 8123,
            login: "user",
            password: "pazzw0rd",
            noProxy: ["10.0.0.0/8"]
        )
        #expect(settings == expected)
    }

    @Test func `Debian's example is read`() throws {
        let text = try #require(Folder.contents(of: "/etc/redsocks.conf"))
        let settings = try RedsocksConfiguration(parsing: text).settings(noProxy: [])
        #expect(settings == (try ProxySettings(type: "socks5", ip: "127.0.0.1", port: 1080)))
    }

    @Test(arguments: [
        ("8123", 8123), ("0x1F90", 8080), ("0X1f90", 8080), ("010", 8), ("0", 0), ("65536", 65536), ("12ab", nil),
        ("", nil),
        ("-1", nil), ("+80", nil), (" 80", nil), ("0x", nil), ("08", nil),
    ])
    func `a port is read as strtoul reads it`(text: String, number: Int64?) {
        #expect(RedsocksConfiguration.number(Array(text.utf8)) == number)
    }

    @Test func `without a section there is no proxy`() throws {
        #expect(try Self.parse("base { }\nredudp { ip = 1.2.3.4; }\n").settings(noProxy: []) == nil)
    }

    @Test func `of several sections the one with our port counts`() throws {
        let text = """
            redsocks { local_port = 1; ip = a; port = 1; type = socks4; }
            redsocks { local_port = 12345; ip = b; port = 2; type = socks5; }

            """
        #expect(try Self.parse(text).settings(noProxy: [])?.ip == "b")
        #expect(try Self.parse("redsocks { ip = a; port = 1; type = socks4; }\n").settings(noProxy: [])?.ip == "a")
    }

    @Test func `an empty login is none`() throws {
        let text = "redsocks { ip = a; port = 1; type = socks5; login = \"\"; password = \"\"; }\n"
        let settings = try #require(try Self.parse(text).settings(noProxy: []))
        #expect(settings.login == nil && settings.password == nil)
    }

    @Test(arguments: [
        ("ip = a;\nport = 1;", 1), ("type = socks5;\nport = 1;", 1), ("type = socks5;\nip = a;", 1),
        ("type = SECRET;\nip = a;\nport = 1;", 2), ("type = socks5;\nip = \"010.0.0.1 SECRET\";\nport = 1;", 3),
        ("type = socks5;\nip = a;\nport = \"SECRET\";", 4), ("type = socks5;\nip = a;\nport = 0;", 4),
        ("type = socks5;\nip = a;\nport = 1;\nlogin = \"SECRET\n\";", 5),
        ("type = socks5;\nip = a;\nport = 1;\nlogin = b;\npassword = \"SECRET\\t\";", 6),
    ])
    func `a proxy that we cannot tell is told with its line and without values`(entries: String, line: Int) throws {
        let configuration = try Self.parse("redsocks {\n\(entries)\n}\n")
        let mismatch = try #require(throws: RedsocksConfiguration.MismatchError.self) {
            try configuration.settings(noProxy: [])
        }
        #expect(mismatch.line == line)
        #expect(!mismatch.description.utf8.elementsEqual([]) && mismatch.reason.firstRange(of: "SECRET") == nil)
    }

    // MARK: Writing

    @Test func `the file is what redsocks wants`() throws {
        let settings = try ProxySettings(
            type: "http-connect",
            ip: "proxy.example",
            port: 8080,
            login: #"a"b"#,
            password: #"c\d; }"#
        )
        let text = RedsocksConfiguration(settings, user: "redsocks", group: "redsocks").encoded
        #expect(
            String(decoding: text, as: UTF8.self) == #"""
                base {
                	log_debug = "off";
                	log_info = "off";
                	log = "stderr";
                	daemon = "off";
                	redirector = "iptables";
                	user = "redsocks";
                	group = "redsocks";
                }
                redsocks {
                	local_ip = "0.0.0.0";
                	local_port = "12345";
                	ip = "proxy.example";
                	port = "8080";
                	type = "http-connect";
                	login = "a\"b";
                	password = "c\\d; }";
                }

                """#
        )
    }

    @Test func `what is written by hand stays, as it stands`() throws {
        let hand = """
            base { log_info = on; rlimit_nofile = 4096; }
            redudp { /* by hand */ local_port = 10053; "odd" = "a\\"b"; } redsocks { local_port = 1; ip = 10.9.9.9; }
            redsocks { type = socks5; ip = 10.0.0.1; port = 1; local_port = 12345; listenq = 256; }

            """
        let former = try Self.parse(hand)
        let other = #"redudp { /* by hand */ local_port = 10053; "odd" = "a\"b"; }"# + "\n"
        #expect(former.foreign == Array((other + "redsocks { local_port = 1; ip = 10.9.9.9; }\n").utf8))
        let settings = try ProxySettings(type: "socks4", ip: "10.0.0.2", port: 2, dns: "9.9.9.9:53")
        let file = RedsocksConfiguration(settings, user: "u", group: "g", former: former)
        let read = try RedsocksConfiguration(parsing: file.encoded + former.foreign)
        #expect(try read.settings(noProxy: []) == settings)
        #expect(read.foreign == former.foreign)
        #expect(read.sections[0].entry("rlimit_nofile")?.value == Array("4096".utf8))
        #expect(read.sections[0].entry("log_info")?.value == Array("off".utf8))
        #expect(read.sections[1].entry("listenq")?.value == Array("256".utf8))
    }

    @Test func `every value of bytes comes back as it was written`() throws {
        var generator = SeededGenerator(seed: 11)
        let punctuation = ["{", "}", "=", ";", "//", "/*"].map { Array($0.utf8) }
        for _ in 0..<5000 {
            let value = (0..<Int.random(in: 0...255, using: &generator)).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 1...255, using: &generator)
                    : Array(#"\";{}=/*nrt "#.utf8).randomElement(using: &generator)!
            }
            guard !punctuation.contains(value) else { continue }
            let entry = RedsocksConfiguration.Entry(key: "password", value: value, line: 1)
            let after = RedsocksConfiguration.Entry(key: "after", value: [0x61], line: 1)
            let written = RedsocksConfiguration([.init(name: "redsocks", entries: [entry, after])]).encoded
            let read = try RedsocksConfiguration(parsing: written)
            #expect(read.sections.map(\.name) == ["redsocks"])
            #expect(read.sections[0].entries.map(\.value) == [value, [0x61]])
        }
    }

    @Test func `settings come back as they were written`() throws {
        var generator = SeededGenerator(seed: 12)
        let alphabet = Array("abcXYZ019 \"\\;{}=/*'#:@%$\u{E9}\u{4E2D}\u{1F600}\u{2028}")
        func secret() -> String? {
            guard Bool.random(using: &generator) else { return nil }
            return String(
                (0..<Int.random(in: 1...50, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! }
            )
        }
        var checked = 0
        for _ in 0..<2000 {
            let settings = try? ProxySettings(
                type: ProxySettings.Kind.allCases.randomElement(using: &generator)!.rawValue,
                ip: ["10.0.0.1", "proxy.example", "a"].randomElement(using: &generator)!,
                port: Int64.random(in: 1...65535, using: &generator),
                login: secret(),
                password: secret(),
                noProxy: ["10.0.0.0/8", "1.2.3.4"]
            )
            guard let settings else { continue }
            checked += 1
            let file = RedsocksConfiguration(settings, user: "u", group: "g").encoded
            let list = try #require(NoProxyList.encode(settings.noProxy))
            let read = try RedsocksConfiguration(parsing: file).settings(noProxy: NoProxyList.parse(list))
            #expect(read == settings)
        }
        #expect(checked > 1500)
    }

    // MARK: Against redsocks itself

    static let hasRedsocks = access("/usr/sbin/redsocks", X_OK) == 0

    @Test(.enabled(if: hasRedsocks, "redsocks is not installed"))
    func `redsocks and this parser accept the same files`() async throws {
        // It waits for a thousand processes: not on the threads that all tests share.
        try await Task(executorPreference: BlockingThread(name: "redsocks")) { try Self.compare() }.value
    }

    private static func compare() throws {
        var generator = SeededGenerator(seed: 13)
        let folder = Folder()
        let check = RedsocksCheck(program: "/usr/sbin/redsocks")
        let pieces = [
            "redudp", "redsocks", "{", "}", "{", "}", "=", ";", "login", "\"login\"", "password", "\"a b\"", "\"\\n\"",
            "\"\\x\"", "joe", "10.0.0.1", "1/2", "1/x", "// c\n", "/* c */", "/* \n */", "\n", "\"{\"", "\";\"",
            "\"=\"",
            "\"//\"", "\"/*\"", "*/", "#", "-", "\"a\nb\"", "a-b", "12ab", "\"\\\"\"",
        ]
        var accepted = 0
        for _ in 0..<1200 {
            // Mostly whole statements, so that a good part of the files is in order.
            var text = ""
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                text += "redsocks { type = socks5 ; "
                for _ in 0..<Int.random(in: 0...3, using: &generator) {
                    let value = Bool.random(using: &generator) ? "\"x\"" : pieces.randomElement(using: &generator)!
                    text += " login \(value) ;"
                }
                text += " }\n"
                if Int.random(in: 0...3, using: &generator) == 0 { text += pieces.randomElement(using: &generator)! }
            }
            if Bool.random(using: &generator) {
                var words = text.split(separator: " ").map(String.init)
                let place = Int.random(in: 0..<words.count, using: &generator)
                words[place] = pieces.randomElement(using: &generator)!
                text = words.joined(separator: " ")
            }
            text += "\n"
            folder.write(text, as: "c")
            var isOurs = false
            var isMeaningful = false
            if let parsed = try? Self.parse(text) {
                isOurs = true
                // Names and types are no part of the grammar.
                isMeaningful = parsed.sections.allSatisfy { section in
                    section.name == "redsocks" && section.entry("type")?.value == Array("socks5".utf8)
                        && section.entries.allSatisfy { ["type", "login", "password"].contains($0.key) }
                }
            }
            let isTheirs = (try? check.run("\(folder.path)/c", secrets: [])) != nil
            if isOurs, isTheirs { accepted += 1 }
            #expect(isTheirs ? isOurs : (!isOurs || !isMeaningful), "\(text.debugDescription)")
        }
        #expect(accepted > 200)
    }
}

extension String {
    func firstRange(of needle: String) -> Int? {
        let text = Array(utf8)
        let needle = Array(needle.utf8)
        return text.indices.first { text[$0...].starts(with: needle) }
    }
}

extension Folder {
    static func contents(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        return Array(bytes[..<fread(&bytes, 1, bytes.count, file)])
    }
}
