import Glibc
import JSON
import SupervisorCommandLine
import Testing

@testable import superctl

struct EventReportTests {
    @Test(
        arguments: [
            (#"{"event":"update.succeeded"}"#, "update.succeeded"),
            (
                #"{"event":"container.died","appId":7,"service":"main","containerId":"0123456789abcdef","exitCode":3}"#,
                "container.died  7/main  0123456789ab, exit status 3"
            ),
            (
                #"{"event":"container.died","appId":7,"service":"main","containerId":"0123456789abcdef","exitCode":null}"#,
                "container.died  7/main  0123456789ab, exit status unknown"
            ),
            (
                #"{"event":"download.progress","appId":7,"service":"main","image":"a:1","percent":42}"#,
                "download.progress  7/main  a:1, 42 %"
            ),
            (
                #"{"event":"download.failed","appId":7,"service":"main","image":"a:1","reason":"no\nroom\u001b[2J"}"#,
                "download.failed  7/main  a:1, no room\u{FFFD}[2J"
            ),
            (
                #"{"event":"engine.connected","name":"docker","version":"20.10.24"}"#,
                "engine.connected  docker 20.10.24"
            ),
            (#"{"event":"plugin.tripped","plugin":"led","reason":null}"#, "plugin.tripped  led"),
            (#"{"event":"power.phase","kind":"reboot","phase":"stopping"}"#, "power.phase  reboot, stopping"),
            (#"{"event":"lines.lost","count":12}"#, "lines.lost  12 lines were not read in time"),
            (#"{"event":"of.tomorrow","reason":"who knows"}"#, "of.tomorrow  who knows"),
            (#"{}"#, "-"),
        ]
    )
    func `an event is one line`(json: String, line: String) throws {
        #expect(EventReport(try JSONValue(parsing: json)).line() == line)
    }

    @Test func `the time is that of the clock on the wall`() throws {
        setenv("TZ", "UTC", 1)
        tzset()
        let line = EventReport(try JSONValue(parsing: #"{"time":1700000000,"event":"update.succeeded"}"#)).line()
        #expect(line == "2023-11-14 22:13:20  update.succeeded")
    }

    @Test func `what is wrong is red on a screen`() throws {
        let event = try JSONValue(parsing: #"{"event":"update.failed","reason":"x"}"#)
        #expect(EventReport(event, style: .coloured).line() == "\u{1B}[1;31mupdate.failed\u{1B}[0m  x")
    }
}

struct TerminalTests {
    @Test(
        arguments: [
            (true, "xterm", nil, true, true), (true, "xterm", "", true, true), (true, "xterm", "1", true, false),
            (true, "dumb", nil, false, false), (true, nil, nil, false, false), (true, "", nil, false, false),
            (false, "xterm", nil, false, false),
        ] as [(Bool, String?, String?, Bool, Bool)]
    )
    func `colours are for screens that can have them`(
        isTerminal: Bool,
        term: String?,
        noColor: String?,
        isScreen: Bool,
        isColoured: Bool
    ) {
        let terminal = Terminal(isTerminal: isTerminal, term: term, noColor: noColor)
        #expect(terminal.isScreen == isScreen)
        #expect(terminal.isColoured == isColoured)
    }

    @Test func `a colour takes no column`() {
        let style = TextStyle.coloured
        #expect(TextStyle.width(of: style.bad("FAILED") + " x") == 8)
        #expect(
            TerminalText.columns([[style.good("a"), "b"], ["ccc", "d"]]) == ["\u{1B}[32ma\u{1B}[0m    b", "ccc  d"]
        )
    }

    @Test(
        arguments: [
            ("plain", "plain"), ("a\tb", "a\tb"), ("\u{1B}[31mred\u{1B}[0m!", "red!"), ("end\r", "end"),
            ("50%\r100%", "50%\u{FFFD}100%"), ("bell\u{7}", "bell\u{FFFD}"),
            ("\u{1B}]0;title\u{7}", "\u{FFFD}]0;title\u{FFFD}"),
            ("\u{1B}[", ""), ("ä€😀", "ä€😀"),
        ]
    )
    func `a line of an application does not speak to the terminal`(line: String, shown: String) {
        #expect(TerminalText.logLine(line) == shown)
    }

    @Test(arguments: [("main", "main"), ("a b/ä&", "a%20b%2F%C3%A4%26"), ("\n", "%0A")])
    func `a value of a query is encoded`(value: String, encoded: String) {
        #expect(value.percentEncoded == encoded)
    }

    @Test(
        arguments: [
            ("Downloading", "a:1", 0, "Downloading a:1 [....................] 0 %"),
            ("Downloading", "a:1", 42, "Downloading a:1 [########............] 42 %"),
            ("Downloading", nil, 100, "Downloading [####################] 100 %"),
            ("Starting", nil, nil, "Starting"), ("Idle", nil, nil, ""),
        ] as [(String, String?, Int64?, String)]
    )
    func `progress fits on a line`(status: String, image: String?, percent: Int64?, line: String) {
        #expect(ProgressLine.text(status: status, image: image, percent: percent) == line)
    }
}

struct ListTests {
    @Test func `the configuration is shown as a file would have it, with the sources`() throws {
        let entries = try JSONValue(
            parsing: """
                [{"section":"API","key":"Port","value":"80","source":"/etc/s.conf:3","afterRestart":null},
                 {"section":"API","key":"Interfaces","value":"lo","source":"default",
                  "afterRestart":{"value":"*","source":"/etc/s.conf:4"}},
                 {"section":"Engine","key":"Socket","value":"/s","source":"default","afterRestart":null}]
                """
        )
        #expect(
            ConfigCommand.text(entries.arrayValue ?? []) == """
                [API]
                Port=80        # /etc/s.conf:3
                Interfaces=lo  # default
                # after a restart: Interfaces=*  # /etc/s.conf:4

                [Engine]
                Socket=/s      # default
                """
        )
    }

    @Test func `volumes are listed with those that are left over`() throws {
        let volumes = try JSONValue(
            parsing: """
                [{"name":"1_data","appId":1,"app":"demo","volume":"data","state":"in use"},
                 {"name":"2_db","appId":2,"app":null,"volume":"db","state":"left over"}]
                """
        )
        #expect(
            VolumesCommand.text(volumes.arrayValue ?? []) == """
                NAME    APP     VOLUME  STATE
                1_data  1 demo  data    in use
                2_db    2       db      left over
                """
        )
    }

    @Test func `the lines of several services begin with their names`() throws {
        let line = try JSONValue(parsing: #"{"service":"db","stream":"stdout","text":"ready"}"#)
        #expect(LogPrinter(services: ["db", "worker"], style: .plain, isRaw: false).text(line) == "db     | ready")
        #expect(LogPrinter(services: ["db"], style: .plain, isRaw: false).text(line) == "ready")
    }

    @Test func `words for shells come with what they are`() throws {
        let status = try JSONValue(
            parsing: """
                {"apps":[{"appId":1,"name":"one","services":[{"serviceName":"a","state":"running"},
                                                             {"serviceName":"b","state":"exited"}]},
                         {"appId":2,"name":"same","services":[]},{"appId":3,"name":"same","services":[]}]}
                """
        )
        #expect(CompletionCommand.apps(status) == "1\tone\n2\tsame\n3\tsame\none\tapplication 1")
        #expect(try CompletionCommand.services(of: "one", status) == "a\trunning\nb\texited")
        let plugins = try JSONValue(parsing: #"[{"name":"led","used":["led.blink"]},{"name":"old","used":[]}]"#)
        #expect(CompletionCommand.operations(plugins) == "led.blink\tled")
    }

    @Test(arguments: [BashCompletion.script, ZshCompletion.script, FishCompletion.script].map(Script.init))
    func `a script has every command and option`(script: Script) {
        let text = script.make(Superctl.syntax)
        for command in Superctl.syntax.commands { #expect(text.contains(command.name)) }
        for option in Superctl.syntax.everyOption { #expect(text.contains(option.name), "\(option.name)") }
        #expect(text.split(separator: "\n").allSatisfy { $0.last != " " })
    }

    struct Script: Sendable {
        var make: @Sendable (ProgramSyntax) -> String
    }
}
