import Glibc
import JSON
import LinuxSupport
import SupervisorCommandLine
import Synchronization

struct LogsCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "logs",
        abstract: "Show the output of an application's services.",
        discussion: """
            If an application has several services, each line begins with the name of its service. With --follow, new \
            lines are shown as they arrive, across restarts and updates, until the supervisor stops or Ctrl-C is \
            pressed.
            """,
        operands: [
            OperandSyntax(name: "APP", kind: .application, isRequired: true, help: "The application's number or name."),
            OperandSyntax(name: "SERVICE", kind: .service, help: "Only this service."),
        ],
        options: [.lines, .follow, .json]
    )

    private let application: AppArgument
    private let service: String?
    private let lines: String?
    private let follow: Bool
    private let json: Bool

    init(_ arguments: CommandArguments) {
        application = AppArgument(arguments)
        service = arguments.operands.dropFirst().first
        lines = arguments.value(of: .lines)
        follow = arguments.has(.follow)
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let tail = try lines.map { text throws(ControlError) in try Self.number(text) } ?? 100
        let status = try await client.getJSON("/control/status")
        let app = try application.choose(in: status)
        let names = Self.services(of: app, in: status)
        let printer = LogPrinter(
            services: service == nil ? names : [],
            style: Terminal.output.style,
            isRaw: json
        )
        var target = "/control/logs?app=\(app)&tail=\(tail)"
        if follow { target += "&follow=1" }
        if let service { target += "&service=\(PercentEncoding.encode(service))" }
        let isRead = try await client.stream(target) { printer.take($0) }
        if let error = printer.error { throw ControlError(.failed, error) }
        guard isRead, !printer.hasEnded else { return "" }
        throw ControlError(.unreachable, "the supervisor has stopped")
    }

    private static func number(_ text: String) throws(ControlError) -> Int {
        guard let number = Int(text), (0...1_000_000).contains(number) else {
            throw ControlError(.usage, "--lines needs a number from 0 to 1000000, not \(TerminalText.safe(text))")
        }
        return number
    }

    private static func services(of app: Int64, in status: JSONValue) -> [String] {
        let found = status["apps"]?.arrayValue?.first { $0["appId"]?.integerValue == app }
        return (found?["services"]?.arrayValue ?? []).compactMap { $0["serviceName"]?.stringValue }
    }
}

/// Prints the lines of a stream of logs.
final class LogPrinter: Sendable {
    private struct State {
        var hasEnded = false
        var error: String?
    }

    /// The services whose names are shown before their lines; none if there is only one service.
    private let services: [String]
    private let width: Int
    private let style: TextStyle
    private let isRaw: Bool
    private let state = Mutex(State())

    init(services: [String], style: TextStyle, isRaw: Bool) {
        self.services = services.count > 1 ? services.sorted() : []
        width = services.map { TerminalText.safe($0).count }.max() ?? 0
        self.style = style
        self.isRaw = isRaw
    }

    /// Whether everything that was asked for has come.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// What went wrong with a service.
    var error: String? { state.withLock { $0.error } }

    /// False if the reader is gone.
    func take(_ line: JSONValue) -> Bool {
        if line["end"] != nil {
            state.withLock { $0.hasEnded = true }
            return true
        }
        if let error = line["error"]?.stringValue {
            let service = line["service"]?.stringValue.map { "\($0): " } ?? ""
            state.withLock { $0.error = TerminalText.safe(service + error) }
            return true
        }
        if let lost = line["count"]?.integerValue, line["event"] != nil {
            return Terminal.write("superctl: \(lost) lines were not read in time\n", to: STDERR_FILENO)
        }
        return Terminal.write((isRaw ? line.text : text(line)) + "\n")
    }

    func text(_ line: JSONValue) -> String {
        let text = TerminalText.logLine(line["text"]?.stringValue ?? "")
        guard let service = line["service"]?.stringValue, let place = services.firstIndex(of: service) else {
            return text
        }
        let name = TerminalText.safe(service)
        let padding = String(repeating: " ", count: max(width - name.count, 0))
        return style.numbered(place, "\(name)\(padding) |") + (text.isEmpty ? "" : " \(text)")
    }
}

extension OptionSyntax {
    fileprivate static let lines = OptionSyntax(
        name: "lines",
        letter: "n",
        value: ValueSyntax(name: "LINES", kind: .text),
        help: "Begin with the last LINES lines of each service. Default: 100."
    )
    fileprivate static let follow = OptionSyntax(name: "follow", letter: "f", help: "Show new lines as they arrive.")
}
