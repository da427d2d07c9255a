import SupervisorCommandLine
import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_check

@Suite struct CheckOptionsTests {
    private func options(_ arguments: String...) -> CheckOptions? {
        if case .run(let options) = CheckOptions.parse(arguments) { options } else { nil }
    }

    @Test func anOptionTakesItsValueWithOrWithoutAnEqualSign() {
        #expect(options("--name", "led", "--setting=Path=/a=b", "./led")?.settings == ["Path": "/a=b"])
        #expect(options("--name=led", "./led")?.name == "led")
        #expect(options("--timeout", "1.5", "./led")?.timeout == 1500)
    }

    @Test func callsCarryTheirParamsAndAllowedOnesTheUsual() {
        let calls = options("--allow", "led.blink", "--call", #"proxy.set={"port":1}"#, "--allow", "storage.reap", "x")?
            .calls
        #expect(calls == ["led.blink": ["durationMs": 100], "proxy.set": ["port": 1], "storage.reap": [:]])
    }

    @Test func aSocketIsATarget() {
        let options = options("--socket", "/run/x.sock")
        #expect(options?.isSocket == true)
        #expect(options?.target == "/run/x.sock")
    }

    @Test func optionsMayFollowTheTargetAndTwoHyphensEndThem() {
        #expect(options("./led", "--name", "led")?.name == "led")
        #expect(options("--name", "led", "--", "--led")?.target == "--led")
        #expect(options("--device-type", "", "./led")?.deviceType == "")
        #expect(options("--only", "a", "--only=b", "./led")?.only == ["a", "b"])
    }

    @Test func theLaterOfAllowAndCallCounts() {
        #expect(options("--call", #"x.y={"a":1}"#, "--allow", "x.y", "p")?.calls == ["x.y": [:]])
        #expect(options("--allow", "x.y", "--call", #"x.y={"a":1}"#, "p")?.calls == ["x.y": ["a": 1]])
    }

    @Test func helpAndListArePrinted() {
        #expect(CheckOptions.parse(["--help"]) == .print(CheckOptions.help + "\n"))
        #expect(CheckOptions.parse(["-h"]) == .print(CheckOptions.help + "\n"))
        #expect(CheckOptions.parse(["--list"]) == .print(Checks.list))
        for option in CheckOptions.syntax.options { #expect(CheckOptions.help.contains("--\(option.name)")) }
        #expect(CheckOptions.help.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test(
        arguments: [
            (["--list=x"], "--list takes no value"),
            (["--tim", "1", "x"], "there is no option --tim; did you mean --timeout?"),
            (["--timeuot", "1", "x"], "there is no option --timeuot; did you mean --timeout?"),
            (["--name"], "--name needs a value: --name NAME"),
            (["--name=", "x"], "--name needs a value: --name NAME"),
            (["a", "b"], "b is one argument too many: only one plugin can be tested at a time"),
            (["--socket", "a", "--socket", "b"], "b: only one plugin can be tested at a time"),
            (["a", "--socket", "b"], "b: only one plugin can be tested at a time"),
            ([], "which plugin?"),
        ] as [([String], String)]
    )
    func whatItDoesNotKnowIsRefusedByName(arguments: [String], message: String) {
        #expect(CheckOptions.parse(arguments) == .wrong("\(message)\nSee supervisor-plugin-check --help"))
    }

    @Test(arguments: [
        [], ["a", "b"], ["--nope", "x"], ["--timeout", "0", "x"], ["--timeout", "nan", "x"], ["--setting", "=x", "x"],
        ["--call", "a.b", "x"], ["--call", "a.b=[]", "x"], ["--name"],
    ])
    func wrongUseIsSaid(arguments: [String]) {
        guard case .wrong(let text) = CheckOptions.parse(arguments) else {
            Issue.record("taken")
            return
        }
        #expect(!text.isEmpty)
    }
}

@Suite struct ContractTests {
    @Test(arguments: ["power.reboot", "power.power-off"]) func powerIsNotIdempotent(operation: String) {
        #expect(Contract.isIdempotent(operation) == false)
    }

    @Test(arguments: [
        ("hostname.get", true, true), ("power.status", true, true), ("example.get", true, true),
        ("example.get", false, false), ("hostname.set", true, false), ("storage.reap", true, false),
        ("target", true, false),
    ])
    func onlyWhatReadsIsHarmless(name: String, isIdempotent: Bool, expected: Bool) {
        #expect(Contract.isHarmless(.init(name: name, isIdempotent: isIdempotent)) == expected)
    }

    @Test(arguments: ["plugin.ping", "led", "led.blink.twice", "Led.blink", "led.", ".blink", "led.1", "led blink", ""])
    func whatIsNoOperationIsSeen(name: String) {
        #expect(!Contract.isOperationName(name))
    }

    @Test func wrongParamsOfTheContractAreWrong() {
        for parameters in Contract.wrongParameters["led.blink"] ?? [] {
            #expect(throws: PluginError.self) { try LEDBlink.Parameters(json: parameters) }
        }
        for parameters in Contract.wrongParameters["proxy.set"] ?? [] {
            #expect(throws: PluginError.self) { try ProxySet.Parameters(json: parameters) }
        }
    }
}
