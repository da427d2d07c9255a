import Logging
import SupervisorCommandLine
import SupervisorVersion
import Testing

@testable import device_supervisor

struct CommandLineOptionsTests {
    private static func parse(_ arguments: [String]) -> CommandLineOptions.Outcome {
        CommandLineOptions.parse(arguments)
    }

    @Test func `options take their values with or without an equals sign`() {
        var expected = CommandLineOptions()
        #expect(Self.parse([]) == .run(expected))
        expected.configurationFile = "/a=b"
        expected.logLevel = .debug
        #expect(Self.parse(["--config", "/a=b", "--log-level=debug"]) == .run(expected))
        expected.prepares = true
        #expect(Self.parse(["--prepare", "--config=/a=b", "--log-level", "debug"]) == .run(expected))
    }

    @Test func `version and help are printed`() {
        #expect(Self.parse(["--version"]) == .print("device-supervisor \(Version.text)\n"))
        #expect(Self.parse(["--help"]) == .print(CommandLineOptions.help + "\n"))
        #expect(Self.parse(["-h"]) == .print(CommandLineOptions.help + "\n"))
        #expect(Self.parse(["--prepare", "--help"]) == .print(CommandLineOptions.help + "\n"))
    }

    @Test(
        arguments: [
            (["--prepare=x"], "--prepare takes no value"),
            (["--version=x"], "--version takes no value"),
            (["--help=x"], "--help takes no value"),
            (["--prep"], "there is no option --prep; did you mean --prepare?"),
            (["--conf", "/f"], "there is no option --conf; did you mean --config?"),
            (["--nonsense"], "there is no option --nonsense"),
            (["-x"], "there is no option -x"),
            (["--config"], "--config needs a value: --config FILE"),
            (["--config="], "--config needs a value: --config FILE"),
            (
                ["--log-level", "loud"],
                "--log-level needs one of trace, debug, info, notice, warning, error, critical"
            ),
            (
                ["unexpected"],
                "unexpected is one argument too many: device-supervisor [--config FILE] [--log-level LEVEL] [--prepare]"
            ),
            (
                ["--", "--prepare"],
                "--prepare is one argument too many: device-supervisor [--config FILE] [--log-level LEVEL] [--prepare]"
            ),
        ] as [([String], String)]
    )
    func `what it does not know is refused by name`(arguments: [String], message: String) {
        #expect(Self.parse(arguments) == .wrong("\(message)\nSee device-supervisor --help"))
    }

    @Test func `the help names options, signals, exit statuses and manual pages, in 80 columns`() {
        let help = CommandLineOptions.help
        for option in CommandLineOptions.syntax.options { #expect(help.contains("--\(option.name)")) }
        for fact in ["SIGTERM", "SIGHUP", "device-supervisor.conf(5)"] { #expect(help.contains(fact)) }
        for status in ["0", "1", "64", "75", "78"] { #expect(help.contains("\n  \(status) ")) }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }
}
