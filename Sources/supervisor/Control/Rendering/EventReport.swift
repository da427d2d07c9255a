import JSON
import SupervisorCommandLine

/// An event of the device for people, on one line.
struct EventReport {
    private let event: JSONValue
    private let style: TextStyle

    /// `event` is a line of GET /control/events.
    init(_ event: JSONValue, style: TextStyle = .plain) {
        self.event = event
        self.style = style
    }

    func line() -> String {
        let name = text("event") ?? "-"
        let time = event["time"]?.integerValue.map(LocalTime.text) ?? ""
        let place = [event["appId"]?.integerValue.map { "\($0)" }, text("service")].compactMap(\.self)
        let words: [String?] = [
            time.isEmpty ? nil : style.faint(time),
            paint(name),
            place.isEmpty ? nil : place.joined(separator: "/"),
            detail(name),
        ]
        return words.compactMap(\.self).joined(separator: "  ")
    }

    private func paint(_ name: String) -> String {
        switch name {
        case "container.died", "download.failed", "target.refused", "service.crash-loop-began", "update.failed",
            "update.rolled-back", "engine.away", "plugin.tripped", "plugin.invalid", "connectivity.offline",
            "lines.lost":
            style.bad(name)
        case "update.blocked", "container.stopped", "container.removed", "plugin.backing-off", "plugin.absent",
            "power.closed", "power.phase", "supervisor.stopping":
            style.warning(name)
        case "container.started", "download.done", "update.succeeded", "engine.connected", "plugin.ready",
            "connectivity.online", "service.crash-loop-ended", "power.opened":
            style.good(name)
        default:
            style.strong(name)
        }
    }

    /// What is in the event besides, without what names the place.
    private func detail(_ name: String) -> String? {
        let id = text("containerId").map { String($0.prefix(12)) }
        let parts: [String?] =
            switch name {
            case "container.died":
                [id, event["exitCode"]?.integerValue.map { "exit status \($0)" } ?? "exit status unknown"]
            case "service.crash-loop-began":
                ["keeps crashing", event["exitCode"]?.integerValue.map { "exit status \($0)" }]
            case "service.crash-loop-ended": ["no longer"]
            case "download.progress": [text("image"), event["percent"]?.integerValue.map { "\($0) %" }]
            case "lines.lost": [event["count"]?.integerValue.map { "\($0) lines were not read in time" }]
            default:
                [
                    id, text("plugin"), text("image"), text("name"), text("version"), text("kind"), text("phase"),
                    text("summary"), text("reason"),
                ]
            }
        let words = parts.compactMap(\.self).filter { !$0.isEmpty }
        return words.isEmpty ? nil : words.joined(separator: name.utf8.starts(with: "engine.".utf8) ? " " : ", ")
    }

    /// A member that is text, safe for a terminal and on one line.
    private func text(_ name: String) -> String? {
        event[name]?.stringValue.map { TerminalText.safe($0).split(separator: "\n").joined(separator: " ") }
    }
}
