import JSON
import Testing

@testable import superctl

struct PluginReportTests {
    private static func report(_ json: String) throws -> String {
        PluginReport(try JSONValue(parsing: json).arrayValue ?? []).text()
    }

    @Test func `a device without plugins says so`() throws {
        #expect(try Self.report("[]") == "No plugin is installed.")
    }

    @Test func `each plugin has a line with its state and the reason for it`() throws {
        let text = try Self.report(
            """
            [{"name":"led","state":"idle","reason":null,"provides":["led.blink"],"used":["led.blink"],"pid":null,
              "nextAttemptSec":null,"sinceSec":12},
             {"name":"other","state":"ready","reason":"led.blink: not used","provides":["led.blink","x.y"],
              "used":["x.y"],"pid":77,"nextAttemptSec":null,"sinceSec":3700},
             {"name":"storage","state":"tripped","reason":"ended with status 3","provides":["storage.reap"],
              "used":["storage.reap"],"pid":null,"nextAttemptSec":200,"sinceSec":100}]
            """
        )
        #expect(
            text == """
                NAME     STATE    FOR        PID  OPERATIONS       REASON
                led      idle     12 s       -    led.blink
                other    ready    1 h 1 min  77   (led.blink) x.y  led.blink: not used
                storage  TRIPPED  1 min      -    storage.reap     ended with status 3; next attempt in 3 min
                """
        )
    }

    @Test func `what a plugin says cannot speak to the terminal`() throws {
        let text = try Self.report(#"[{"name":"a","state":"idle","reason":"x\u001b[31m\ny","provides":[],"used":[]}]"#)
        #expect(text.hasSuffix("x\u{FFFD}[31m y"))
    }

    @Test func `an error is told with its reason and what is known of the outcome`() {
        let error: JSONValue = [
            "message": "logind refuses", "reason": "permission-denied",
            "source": "org.freedesktop.DBus.Error.AccessDenied",
            "outcomeUnknown": true,
        ]
        #expect(
            CallCommand.text(of: error) == """
                logind refuses (permission-denied)
                reported by org.freedesktop.DBus.Error.AccessDenied
                It is not known whether it was done.
                """
        )
    }
}
