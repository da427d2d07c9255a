import JSON
import SupervisorCommandLine

struct UpdateCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "update",
        abstract: "Start an update check now.",
        discussion: """
            Returns at once; superctl status shows the progress. With --wait it returns when the check is complete: \
            with 0 if the device matches its target, with 75 if an update lock blocks the update, with 1 after any \
            other failure.
            """,
        options: [.force, .wait]
    )

    private let force: Bool
    private let wait: Bool

    init(_ arguments: CommandArguments) {
        force = arguments.has(.force)
        wait = arguments.has(.wait)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let before = wait ? Self.checks(try await client.getJSON("/control/status")) : 0
        try await client.post("/v1/update", ["force": .bool(force)])
        if wait { try await waitForCheck(client, number: before + 1) }
        return ""
    }

    /// How many checks have begun.
    private static func checks(_ status: JSONValue) -> Int64 { status["update"]?["checksBegun"]?.integerValue ?? 0 }

    /// Returns when the check of this number is complete, and shows its progress meanwhile.
    private func waitForCheck(_ client: ControlClient, number: Int64) async throws(ControlError) {
        var line = ProgressLine(isScreen: Terminal.output.isScreen)
        while true {
            let status: JSONValue
            do throws(ControlError) {
                status = try await client.getJSON("/control/status")
            } catch {
                line.end()
                throw error
            }
            let update = status["update"]
            // With a hand-over or a probation, the end of a check is not that of the update.
            let isOver = update?["pending"]?.boolValue != true || update?["error"]?.stringValue != nil
            if let ended = update?["checksEnded"]?.integerValue, ended >= number, isOver {
                line.end()
                return try Self.judge(update)
            }
            line.show(
                status: update?["status"]?.stringValue ?? "",
                image: update?["image"]?.stringValue,
                percent: update?["downloadProgress"]?.integerValue
            )
            await client.pause(.milliseconds(300))
        }
    }

    private static func judge(_ update: JSONValue?) throws(ControlError) {
        guard let error = update?["error"]?.stringValue else { return }
        let isLocked = update?["locked"]?.boolValue == true
        throw ControlError(isLocked ? .notNow : .failed, TerminalText.safe(error))
    }
}

/// One line on a screen that shows the progress of an update; in a file, a line for each step.
struct ProgressLine {
    private let isScreen: Bool
    private var shown = ""

    init(isScreen: Bool) {
        self.isScreen = isScreen
    }

    mutating func show(status: String, image: String?, percent: Int64?) {
        let text = Self.text(status: status, image: image, percent: isScreen ? percent : nil)
        guard text != shown else { return }
        shown = text
        if isScreen {
            Terminal.write("\r\(text)\u{1B}[K")
        } else if !text.isEmpty {
            Terminal.write(text + "\n")
        }
    }

    /// Leaves the screen as if there had been no line.
    mutating func end() {
        if isScreen, !shown.isEmpty { Terminal.write("\r\u{1B}[K") }
        shown = ""
    }

    /// Empty if there is nothing to show.
    static func text(status: String, image: String?, percent: Int64?) -> String {
        guard status != "Idle", !status.isEmpty else { return "" }
        let name = image.map { " \(TerminalText.safe($0))" } ?? ""
        guard let percent else { return TerminalText.safe(status) + name }
        let full = Int(min(max(percent, 0), 100)) / 5
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: 20 - full)
        return "\(TerminalText.safe(status))\(name) [\(bar)] \(percent) %"
    }
}
