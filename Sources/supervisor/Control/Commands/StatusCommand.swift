import Glibc
import JSON
import SupervisorCommandLine

struct StatusCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "status",
        abstract: "Show the device, its applications and what the supervisor is doing.",
        discussion: """
            Exits with 0 if the supervisor answers, whatever the state of the device. With --watch the display is \
            refreshed every two seconds, until the supervisor stops or Ctrl-C is pressed.
            """,
        options: [.watch, .json]
    )

    private let watch: Bool
    private let json: Bool

    init(_ arguments: CommandArguments) {
        watch = arguments.has(.watch)
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        guard watch else { return try await text(client) }
        if Terminal.output.isScreen, !json { Terminal.write("\u{1B}[2J") }
        while true {
            let text = try await text(client)
            // Home, each line erased to its end, then what is left of a longer one before: without a flicker.
            let shown =
                Terminal.output.isScreen && !json
                ? "\u{1B}[H"
                    + text.split(separator: "\n", omittingEmptySubsequences: false)
                    .map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
                : text + (json ? "\n" : "\n\n")
            guard Terminal.write(shown) else { return "" }
            await client.pause(.seconds(2))
        }
    }

    private func text(_ client: ControlClient) async throws(ControlError) -> String {
        let status = try await client.getJSON("/control/status")
        return json ? status.text : StatusReport(status, style: Terminal.output.style).text(now: Int64(time(nil)))
    }
}

extension OptionSyntax {
    fileprivate static let watch = OptionSyntax(
        name: "watch",
        letter: "w",
        help: "Refresh the display every two seconds."
    )
}
