import JSON
import SupervisorCommandLine

struct ConfigCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "config",
        abstract: "Show the configuration in effect, and where each value comes from.",
        discussion: "Changes that need a restart are shown below the value in effect.",
        options: [.json]
    )

    private let json: Bool

    init(_ arguments: CommandArguments) {
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let configuration = try await client.getJSON("/control/config")
        return json ? configuration.text : Self.text(configuration.arrayValue ?? [], style: Terminal.output.style)
    }

    /// In the syntax of device-supervisor.conf, the source of each value in a comment.
    static func text(_ entries: [JSONValue], style: TextStyle = .plain) -> String {
        var lines: [String] = []
        var section: String?
        let assignments = entries.map { "\(text($0, "key"))=\(text($0, "value"))" }
        let width = min(assignments.map(\.count).max() ?? 0, 48)
        for (entry, assignment) in zip(entries, assignments) {
            let name = text(entry, "section")
            if name != section {
                if section != nil { lines.append("") }
                lines.append(style.strong("[\(name)]"))
                section = name
            }
            let padding = String(repeating: " ", count: max(width - assignment.count, 0))
            lines.append("\(assignment)\(padding)  \(style.faint("# \(text(entry, "source"))"))")
            if let pending = entry["afterRestart"], !pending.isNull {
                lines.append(
                    style.warning(
                        "# after a restart: \(text(entry, "key"))=\(text(pending, "value"))  # \(text(pending, "source"))"
                    )
                )
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ entry: JSONValue, _ name: String) -> String {
        TerminalText.safe(entry[name]?.stringValue ?? "").split(separator: "\n").joined(separator: " ")
    }
}
