import Glibc
import Testing

/// The program itself against a supervisor that answers by a script.
@Suite(.timeLimit(.minutes(1)))
struct ProgramTests {
    private static let oneApp = #"{"apps":[{"appId":2167,"name":"demo","services":[]}]}"#
    private static let lock = #"[{"appId":1,"service":"main","path":"/l","holder":"uid 0","since":0,"reason":null}]"#

    /// What is called, what the supervisor answers to each request in turn, which requests must have come, and how the
    /// program ends.
    struct Case: Sendable, CustomTestStringConvertible {
        var arguments: [String]
        var answers: [(status: Int, body: String)]
        var requests: [String]
        var exitCode: Int32
        var output: String?
        var testDescription: String { arguments.joined(separator: " ") + " → \(exitCode)" }
    }

    private static let cases: [Case] = [
        Case(
            arguments: ["update"],
            answers: [(204, "")],
            requests: [#"POST /v1/update {"force":false}"#],
            exitCode: 0,
            output: ""
        ),
        Case(
            arguments: ["update", "--force"],
            answers: [(204, "")],
            requests: [#"POST /v1/update {"force":true}"#],
            exitCode: 0
        ),
        Case(
            arguments: ["restart"],
            answers: [(200, oneApp), (200, "OK")],
            requests: ["GET /control/status ", #"POST /v1/restart {"appId":2167,"force":false}"#],
            exitCode: 0,
            output: ""
        ),
        Case(
            arguments: ["restart", "demo", "--force"],
            answers: [(200, oneApp), (423, "Updates are locked")],
            requests: ["GET /control/status ", #"POST /v1/restart {"appId":2167,"force":true}"#],
            exitCode: 75
        ),
        Case(
            arguments: ["restart", "nope"],
            answers: [(200, oneApp)],
            requests: ["GET /control/status "],
            exitCode: 1
        ),
        Case(
            arguments: ["stop", "12"],
            answers: [(200, #"{"containerId":"0"}"#)],
            requests: [#"POST /v1/apps/12/stop {"force":false}"#],
            exitCode: 0,
            output: ""
        ),
        Case(
            arguments: ["start", "12"],
            answers: [(503, "busy")],
            requests: ["POST /v1/apps/12/start {}"],
            exitCode: 75
        ),
        Case(
            arguments: ["purge", "12"],
            answers: [(500, #"{"Data":"","Error":"disk"}"#)],
            requests: [#"POST /v1/purge {"appId":12,"force":false}"#],
            exitCode: 1
        ),
        Case(arguments: ["key"], answers: [(200, "k1")], requests: ["GET /control/key "], exitCode: 0, output: "k1\n"),
        Case(
            arguments: ["key", "--regenerate"],
            answers: [(200, "k2")],
            requests: ["POST /v1/regenerate-api-key {}"],
            exitCode: 0,
            output: "k2\n"
        ),
        Case(
            arguments: ["reload"],
            answers: [(400, "device-supervisor.conf:1")],
            requests: ["POST /control/reload {}"],
            exitCode: 1
        ),
        Case(
            arguments: ["plugins"],
            answers: [(200, "[]")],
            requests: ["GET /control/plugins "],
            exitCode: 0,
            output: "No plugin is installed.\n"
        ),
        Case(
            arguments: ["call", "led.blink", #"{"durationMs":500}"#],
            answers: [(200, #"{"result":{"a":1},"provider":"led","durationMicroseconds":90}"#)],
            requests: [
                #"POST /control/call {"operation":"led.blink","parameters":{"durationMs":500},"record":false}"#
            ],
            exitCode: 0,
            output: #"{"a":1}"# + "\n"
        ),
        Case(
            arguments: ["call", "led.blink"],
            answers: [(200, #"{"error":{"message":"no LED","reason":"failed"},"provider":"led"}"#)],
            requests: [#"POST /control/call {"operation":"led.blink","parameters":{},"record":false}"#],
            exitCode: 1
        ),
        Case(
            arguments: ["call", "x.y"],
            answers: [(501, "This device has no plugin for x.y")],
            requests: [#"POST /control/call {"operation":"x.y","parameters":{},"record":false}"#],
            exitCode: 1
        ),
        Case(arguments: ["call", "x.y", "[]"], answers: [], requests: [], exitCode: 64),
        Case(
            arguments: ["locks", "--check"],
            answers: [(200, "[]")],
            requests: ["GET /control/locks "],
            exitCode: 0,
            output: "No update lock is held.\n"
        ),
        Case(
            arguments: ["locks", "--check", "--json"],
            answers: [(200, lock)],
            requests: ["GET /control/locks "],
            exitCode: 75,
            output: lock + "\n"
        ),
        Case(arguments: ["locks"], answers: [(200, lock)], requests: ["GET /control/locks "], exitCode: 0),
        Case(
            arguments: ["locks", "--wait"],
            answers: [(200, "[]")],
            requests: ["GET /control/locks?wait=1 "],
            exitCode: 0
        ),
        Case(
            arguments: ["status", "--json"],
            answers: [(200, oneApp)],
            requests: ["GET /control/status "],
            exitCode: 0,
            output: oneApp + "\n"
        ),
        Case(arguments: ["status"], answers: [(200, "not JSON")], requests: ["GET /control/status "], exitCode: 1),
        Case(arguments: ["status"], answers: [(0, "")], requests: ["GET /control/status "], exitCode: 69),
        Case(
            arguments: ["events", "--json", "--since", "60"],
            answers: [(200, #"{"event":"a"}"# + "\n" + #"{"event":"b"}"# + "\n")],
            requests: ["GET /control/events?since=60 "],
            exitCode: 69,
            output: #"{"event":"a"}"# + "\n" + #"{"event":"b"}"# + "\n"
        ),
        Case(
            arguments: ["events", "--no-history"],
            answers: [(503, "Too many streams are being read")],
            requests: ["GET /control/events?since=0 "],
            exitCode: 75
        ),
        Case(arguments: ["events", "--since", "x"], answers: [], requests: [], exitCode: 64),
        Case(
            arguments: ["events"],
            answers: [(200, "no JSON\n")],
            requests: ["GET /control/events "],
            exitCode: 1
        ),
        Case(
            arguments: ["logs", "demo", "main", "-n", "5"],
            answers: [
                (200, oneApp),
                (200, #"{"service":"main","stream":"stdout","text":"hello"}"# + "\n" + #"{"end":true}"# + "\n"),
            ],
            requests: ["GET /control/status ", "GET /control/logs?app=2167&tail=5&service=main "],
            exitCode: 0,
            output: "hello\n"
        ),
        Case(
            arguments: ["logs", "12", "-f"],
            answers: [(200, oneApp), (200, "")],
            requests: ["GET /control/status ", "GET /control/logs?app=12&tail=100&follow=1 "],
            exitCode: 69,
            output: ""
        ),
        Case(
            arguments: ["logs", "12"],
            answers: [(200, oneApp), (200, #"{"service":"main","error":"no logs"}"# + "\n" + #"{"end":true}"# + "\n")],
            requests: ["GET /control/status ", "GET /control/logs?app=12&tail=100 "],
            exitCode: 1,
            output: ""
        ),
        Case(arguments: ["logs"], answers: [], requests: [], exitCode: 64),
        Case(
            arguments: ["volumes"],
            answers: [(200, "[]")],
            requests: ["GET /control/volumes "],
            exitCode: 0,
            output: "No application has a volume.\n"
        ),
        Case(
            arguments: ["config", "--json"],
            answers: [(200, "[]")],
            requests: ["GET /control/config "],
            exitCode: 0,
            output: "[]\n"
        ),
        Case(
            arguments: ["reboot"],
            answers: [(202, #"{"Data":"OK","Error":""}"#)],
            requests: [#"POST /v1/reboot {"force":false}"#],
            exitCode: 0,
            output: "The reboot is under way.\n"
        ),
        Case(
            arguments: ["power-off"],
            answers: [(423, #"{"Data":"","Error":"Updates are locked by application 1"}"#), (200, lock)],
            requests: [#"POST /v1/shutdown {"force":false}"#, "GET /control/locks "],
            exitCode: 75
        ),
        Case(
            arguments: ["power-off", "--force"],
            answers: [(501, #"{"Data":"","Error":"This device has no plugin for power.power-off"}"#)],
            requests: [#"POST /v1/shutdown {"force":true}"#],
            exitCode: 1
        ),
        Case(
            arguments: ["update", "--wait"],
            answers: [
                (200, #"{"update":{"checksBegun":4,"checksEnded":4}}"#), (204, ""),
                (200, #"{"update":{"checksBegun":5,"checksEnded":4,"status":"Downloading","image":"a:1"}}"#),
                (200, #"{"update":{"checksBegun":5,"checksEnded":5,"status":"Idle","error":null}}"#),
            ],
            requests: [
                "GET /control/status ", #"POST /v1/update {"force":false}"#, "GET /control/status ",
                "GET /control/status ",
            ],
            exitCode: 0,
            output: "Downloading a:1\n"
        ),
        Case(
            arguments: ["update", "--wait"],
            answers: [
                (200, "{}"), (204, ""),
                (200, #"{"update":{"checksEnded":1,"locked":true,"error":"Updates are locked"}}"#),
            ],
            requests: ["GET /control/status ", #"POST /v1/update {"force":false}"#, "GET /control/status "],
            exitCode: 75
        ),
        Case(
            arguments: ["completion", "apps"],
            answers: [(200, oneApp)],
            requests: ["GET /control/status "],
            exitCode: 0,
            output: "2167\tdemo\ndemo\tapplication 2167\n"
        ),
        Case(arguments: ["completion", "tcsh"], answers: [], requests: [], exitCode: 64),
        Case(arguments: ["status", "--nonsense"], answers: [], requests: [], exitCode: 64),
        Case(arguments: ["nonsense"], answers: [], requests: [], exitCode: 64),
        Case(arguments: [], answers: [], requests: [], exitCode: 64),
        Case(arguments: ["--help"], answers: [], requests: [], exitCode: 0),
    ]

    @Test(arguments: cases)
    func `each command asks for what it is about and exits as the manual says`(example: Case) throws {
        let supervisor = try ScriptedSupervisor(example.answers)
        let program = try Program(["--socket", supervisor.path] + example.arguments)
        try supervisor.serve(until: program)
        #expect(try program.wait() == example.exitCode)
        #expect(supervisor.requests == example.requests)
        if let output = example.output { #expect(program.output == output) }
        #expect(example.exitCode == 0 || !program.errors.isEmpty || example.output != nil)
    }

    @Test func `recorded frames go into a file that nobody else may read, a line each`() throws {
        let answer = #"{"result":{},"frames":[{"direction":"to-plugin"},{"direction":"from-plugin"}]}"#
        let supervisor = try ScriptedSupervisor([(200, answer)])
        let file = supervisor.path + ".frames"
        defer { unlink(file) }
        let program = try Program(["--socket", supervisor.path, "call", "x.y", "--record", file])
        try supervisor.serve(until: program)
        #expect(try program.wait() == 0)
        #expect(
            supervisor.requests == [#"POST /control/call {"operation":"x.y","parameters":{},"record":true}"#]
        )
        var status = stat()
        #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let descriptor = open(file, O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = read(descriptor, &bytes, bytes.count)
        let text = String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
        #expect(text == #"{"direction":"to-plugin"}"# + "\n" + #"{"direction":"from-plugin"}"# + "\n")
    }

    @Test func `the socket may be named after the command, or by the environment`() throws {
        for byEnvironment in [false, true] {
            let supervisor = try ScriptedSupervisor([(200, "k")])
            let program =
                byEnvironment
                ? try Program(["key"], environment: ["SUPERVISOR_CONTROL_SOCKET=\(supervisor.path)"])
                : try Program(["key", "--socket", supervisor.path])
            try supervisor.serve(until: program)
            #expect(try program.wait() == 0)
            #expect(program.output == "k\n")
        }
    }

    @Test func `without a supervisor the message names the socket and what to do`() throws {
        let program = try Program(["status", "--socket", "/nowhere/control.sock"])
        #expect(try program.wait() == 69)
        #expect(program.errors.contains("/nowhere/control.sock: No such file or directory"))
        #expect(program.errors.contains("systemctl status device-supervisor"))
    }

    @Test func `the help names every exit status`() throws {
        let program = try Program(["--help"])
        #expect(try program.wait() == 0)
        for code in ["0", "1", "64", "69", "75", "77"] { #expect(program.output.contains("\n  \(code) ")) }
    }
}
