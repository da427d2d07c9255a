import SupervisorCommandLine
import Testing

@testable import superctl

struct CommandLineParserTests {
    /// What is looked at of an outcome: of an option that is there more than once, the last value.
    enum Reading: Hashable {
        case run(String?, operands: [String], options: [String: String])
        case other(CommandLineParser.Outcome)

        init(_ outcome: CommandLineParser.Outcome) {
            guard case .run(let command, let arguments) = outcome else {
                self = .other(outcome)
                return
            }
            let options = arguments.options.map { ($0.name, $0.value) }
            self = .run(command, operands: arguments.operands, options: Dictionary(options) { $1 })
        }
    }

    /// What the parser makes of arguments: a command with what it was given, or what it says.
    struct Case: Sendable, CustomTestStringConvertible {
        var arguments: [String]
        var reading: Reading
        var testDescription: String { arguments.joined(separator: " ") }

        init(_ arguments: [String], _ outcome: CommandLineParser.Outcome) {
            (self.arguments, reading) = (arguments, .other(outcome))
        }

        init(_ arguments: [String], _ command: String, _ operands: [String] = [], _ options: [String: String] = [:]) {
            (self.arguments, reading) = (arguments, .run(command, operands: operands, options: options))
        }
    }

    private static let cases: [Case] = [
        Case(["status"], "status"),
        Case(["status", "--json"], "status", [], ["json": ""]),
        Case(["locks", "--wait", "--check", "--json"], "locks", [], ["wait": "", "check": "", "json": ""]),
        Case(["restart"], "restart"),
        Case(["restart", "demo", "--force"], "restart", ["demo"], ["force": ""]),
        Case(["restart", "--force", "demo"], "restart", ["demo"], ["force": ""]),
        Case(["restart", "--force", "--force"], "restart", [], ["force": ""]),
        Case(["restart", "2167"], "restart", ["2167"]),
        Case(["restart", ""], "restart", [""]),
        Case(["restart", "kühlschrank"], "restart", ["kühlschrank"]),
        Case(["--socket", "/s", "key"], "key", [], ["socket": "/s"]),
        Case(["--socket=/s", "key"], "key", [], ["socket": "/s"]),
        Case(["key", "--socket", "/s"], "key", [], ["socket": "/s"]),
        Case(["key", "--socket=/s", "--regenerate"], "key", [], ["socket": "/s", "regenerate": ""]),
        Case(["--socket=/before", "key", "--socket", "/after"], "key", [], ["socket": "/after"]),
        Case(["--socket", "/a=b", "key"], "key", [], ["socket": "/a=b"]),
        Case(["--socket=/a=b", "key"], "key", [], ["socket": "/a=b"]),
        Case(["--socket", "--", "key"], "key", [], ["socket": "--"]),
        Case(["restart", "--", "--force"], "restart", ["--force"]),
        Case(["restart", "--force", "--", "--x"], "restart", ["--x"], ["force": ""]),
        Case(["restart", "--"], "restart"),
        Case(["--", "restart", "--force"], "restart", ["--force"]),
        Case(["call", "led.blink"], "call", ["led.blink"]),
        Case(["call", "led.blink", "{}", "--record", "f"], "call", ["led.blink", "{}"], ["record": "f"]),
        Case(["call", "--record=f", "led.blink", "-"], "call", ["led.blink", "-"], ["record": "f"]),
        Case(["call", "x.y", "--record", "-h"], "call", ["x.y"], ["record": "-h"]),
        Case(["help"], "help"),
        Case(["help", "restart"], "help", ["restart"]),
        Case(["--help"], .help(command: nil)),
        Case(["-h"], .help(command: nil)),
        Case(["restart", "--help"], .help(command: "restart")),
        Case(["--help", "restart"], .help(command: "restart")),
        Case(["call", "--help"], .help(command: "call")),
        Case(["call", "--help", "--nonsense"], .help(command: "call")),
        Case(["--socket", "/s", "--help"], .help(command: nil)),
        Case(["--version"], .version),
        Case(["status", "--version"], .version),
    ]

    @Test(arguments: cases)
    func `a command line becomes a command with its operands and options`(example: Case) throws {
        #expect(try Reading(Superctl.parse(example.arguments)) == example.reading)
    }

    @Test(
        arguments: [
            ([], "name a command", ""),
            (["--socket", "/s"], "name a command", ""),
            (["nonsense"], "there is no command nonsense", ""),
            (["nonsense", "--json"], "there is no command nonsense", ""),
            ([""], "there is no command ", ""),
            (["restrat"], "there is no command restrat; did you mean restart?", ""),
            (["STATUS"], "there is no command STATUS; did you mean status?", ""),
            (["lokcs", "--check"], "there is no command lokcs; did you mean locks?", ""),
            (["sta"], "there is no command sta; did you mean status or start?", ""),
            (["\u{1B}[2J"], "there is no command \u{FFFD}[2J", ""),
            (["status", "--jsn"], "there is no option --jsn; did you mean --json?", " status"),
            (["status", "--nonsense=x"], "there is no option --nonsense", " status"),
            (["restart", "--forc"], "there is no option --forc; did you mean --force?", " restart"),
            (["key", "--sock", "/s"], "there is no option --sock; did you mean --socket?", " key"),
            (["key", "--sock"], "there is no option --sock; did you mean --socket?", " key"),
            (["key", "--sock=/s"], "there is no option --sock; did you mean --socket?", " key"),
            (["restart", "--forc=yes"], "there is no option --forc; did you mean --force?", " restart"),
            (["-x"], "there is no option -x", ""),
            (["status", "-xh"], "there is no option -xh", " status"),
            (["status", "-é"], "there is no option -é", " status"),
            (["-json", "status"], "there is no option -json", ""),
            (["status", "--force"], "status has no option --force", " status"),
            (["status", "--record"], "status has no option --record", " status"),
            (["status", "--force=1"], "status has no option --force", " status"),
            (["--json", "status"], "--json goes after the name of a command", ""),
            (["status", "--json=3"], "--json takes no value", " status"),
            (["status", "--help=me"], "--help takes no value", " status"),
            (["--socket"], "--socket needs a value: --socket PATH", ""),
            (["status", "--socket"], "--socket needs a value: --socket PATH", " status"),
            (["status", "--socket="], "--socket needs a value: --socket PATH", " status"),
            (["--socket", "", "status"], "--socket needs a value: --socket PATH", ""),
            (["call", "x.y", "--record"], "--record needs a value: --record FILE", " call"),
            (["call"], "call needs OPERATION: superctl call OPERATION [PARAMETERS] [--record FILE]", " call"),
            (["restart", "1", "2"], "2 is one argument too many: superctl restart [APP] [--force]", " restart"),
            (["status", "1"], "1 is one argument too many: superctl status [--watch] [--json]", " status"),
            (
                ["restart", "1", "--", "-h"], "-h is one argument too many: superctl restart [APP] [--force]",
                " restart"
            ),
        ] as [([String], String, String)]
    )
    func `a wrong command line is told in one line, and another says where to look`(
        arguments: [String],
        message: String,
        topic: String
    ) {
        #expect(throws: ControlError(.usage, "\(message)\nSee superctl\(topic) --help")) {
            try Superctl.parse(arguments)
        }
    }

    /// getopt_long(3) keeps its place in variables of the process.
    @Test func `many command lines may be read at the same time`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let words = (0..<number % 7).flatMap { _ in ["--socket", "/s\(number)"] }
                    let reading = try Reading(Superctl.parse(words + ["restart", "\(number)"]))
                    let options = words.isEmpty ? [:] : ["socket": "/s\(number)"]
                    #expect(reading == .run("restart", operands: ["\(number)"], options: options))
                }
            }
            try await group.waitForAll()
        }
    }
}
