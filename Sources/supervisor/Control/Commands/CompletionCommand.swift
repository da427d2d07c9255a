import JSON
import SupervisorCommandLine

struct CompletionCommand: ControlCommand {
    private static let shells = ["bash", "zsh", "fish"]

    static let syntax = CommandSyntax(
        name: "completion",
        abstract: "Print what a shell needs to complete the arguments of superctl.",
        discussion: """
            With the name of a shell, print its script: source <(superctl completion bash). The package installs all \
            three. With apps, services or operations, print the words that the scripts offer, each with a tab and a \
            description.
            """,
        operands: [
            OperandSyntax(
                name: "WHAT",
                kind: .choice(shells + ["apps", "services", "operations"]),
                isRequired: true,
                help: "bash, zsh, fish; apps, services, operations."
            ),
            OperandSyntax(name: "APP", kind: .application, help: "The application whose services to print."),
        ]
    )

    private let subject: String
    private let application: String?

    init(_ arguments: CommandArguments) {
        subject = arguments.operands[0]
        application = arguments.operands.dropFirst().first
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        switch subject {
        case "bash": BashCompletion.script(for: Superctl.syntax)
        case "zsh": ZshCompletion.script(for: Superctl.syntax)
        case "fish": FishCompletion.script(for: Superctl.syntax)
        case "apps": Self.apps(try await client.getJSON("/control/status"))
        case "services": try Self.services(of: application, try await client.getJSON("/control/status"))
        case "operations": Self.operations(try await client.getJSON("/control/plugins"))
        default:
            throw ControlError(
                Superctl.syntax.wrong("there is nothing to print for \(TerminalText.safe(subject))", in: Self.syntax)
            )
        }
    }

    /// Numbers and names.
    static func apps(_ status: JSONValue) -> String {
        let apps = (status["apps"]?.arrayValue ?? []).compactMap { app in
            app["appId"]?.integerValue.map { (number: $0, name: TerminalText.safe(app["name"]?.stringValue ?? "")) }
        }
        let numbers = apps.map { "\($0.number)\t\($0.name)" }
        // Where two have one name, it chooses neither.
        let names = apps.filter { app in !app.name.isEmpty && apps.count { $0.name == app.name } == 1 }
            .map { "\($0.name)\tapplication \($0.number)" }
        return (numbers + names).joined(separator: "\n")
    }

    static func services(of application: String?, _ status: JSONValue) throws(ControlError) -> String {
        let arguments = CommandArguments(operands: [application].compactMap(\.self))
        let number = try AppArgument(arguments).choose(in: status)
        let app = status["apps"]?.arrayValue?.first { $0["appId"]?.integerValue == number }
        return (app?["services"]?.arrayValue ?? []).compactMap { service in
            service["serviceName"]?.stringValue.map {
                "\(TerminalText.safe($0))\t\(TerminalText.safe(service["state"]?.stringValue ?? ""))"
            }
        }.joined(separator: "\n")
    }

    static func operations(_ plugins: JSONValue) -> String {
        (plugins.arrayValue ?? []).flatMap { plugin in
            (plugin["used"]?.arrayValue ?? []).compactMap(\.stringValue).map {
                "\(TerminalText.safe($0))\t\(TerminalText.safe(plugin["name"]?.stringValue ?? ""))"
            }
        }.joined(separator: "\n")
    }
}
