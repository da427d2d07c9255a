import JSON
import SupervisorCommandLine

/// The plugins for people, a line each. States that need attention are in capital letters: INVALID, TRIPPED,
/// BACKING-OFF.
struct PluginReport {
    private let plugins: [JSONValue]
    private let style: TextStyle

    /// `plugins` is what GET /control/plugins answers.
    init(_ plugins: [JSONValue], style: TextStyle = .plain) {
        self.plugins = plugins
        self.style = style
    }

    func text() -> String {
        guard !plugins.isEmpty else { return "No plugin is installed." }
        let rows = plugins.map { plugin in
            [
                TerminalText.safe(plugin["name"]?.stringValue ?? "-"),
                state(of: plugin),
                plugin["sinceSec"]?.integerValue.map { TerminalText.span(seconds: $0) } ?? "-",
                plugin["pid"]?.integerValue.map { "\($0)" } ?? "-",
                operations(of: plugin),
                reason(of: plugin),
            ]
        }
        return TerminalText.columns([["NAME", "STATE", "FOR", "PID", "OPERATIONS", "REASON"]] + rows)
            .joined(separator: "\n")
    }

    private func state(of plugin: JSONValue) -> String {
        let state = TerminalText.safe(plugin["state"]?.stringValue ?? "-")
        return switch state {
        case "invalid", "tripped", "backing-off": style.bad(state.uppercased())
        case "ready": style.good(state)
        case "absent": style.warning(state)
        default: state
        }
    }

    /// Operations that it is not used for are in parentheses.
    private func operations(of plugin: JSONValue) -> String {
        let provided = plugin["provides"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let used = plugin["used"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let words = provided.map { TerminalText.safe(used.contains($0) ? $0 : "(\($0))") }
        return words.isEmpty ? "-" : words.joined(separator: " ")
    }

    private func reason(of plugin: JSONValue) -> String {
        var parts = [plugin["reason"]?.stringValue].compactMap(\.self).filter { !$0.isEmpty }
        if let delay = plugin["nextAttemptSec"]?.integerValue {
            parts.append("next attempt in \(TerminalText.span(seconds: delay))")
        }
        return TerminalText.safe(parts.joined(separator: "; ").split(separator: "\n").joined(separator: " "))
    }
}
