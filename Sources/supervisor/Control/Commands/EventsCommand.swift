import JSON
import SupervisorCommandLine

struct EventsCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "events",
        abstract: "Show the events of the device as they happen.",
        discussion: """
            Prints one line for each event, recent ones first. Ends when the supervisor stops, or with Ctrl-C.
            """,
        options: [.since, .noHistory, .json]
    )

    private let since: String?
    private let json: Bool

    init(_ arguments: CommandArguments) {
        since = arguments.has(.noHistory) ? "0" : arguments.value(of: .since)
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        if let since, Int64(since) ?? -1 < 0 {
            throw ControlError(.usage, "--since needs a number of seconds, not \(TerminalText.safe(since))")
        }
        let target = "/control/events" + (since.map { "?since=\($0)" } ?? "")
        let style = Terminal.output.style
        let isRead = try await client.stream(target) { [json] event in
            Terminal.write((json ? event.text : EventReport(event, style: style).line()) + "\n")
        }
        guard isRead else { return "" }
        throw ControlError(.unreachable, "the supervisor has stopped")
    }
}

extension OptionSyntax {
    fileprivate static let since = OptionSyntax(
        name: "since",
        value: ValueSyntax(name: "SECONDS", kind: .text),
        help: "Begin with the events of the last SECONDS seconds. Default: with all of the last 200 or so."
    )
    fileprivate static let noHistory = OptionSyntax(name: "no-history", help: "Begin with the next event.")
}
