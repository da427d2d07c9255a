import JSON
import LinuxSupport
import SupervisorCommandLine

/// The application that a command is about.
struct AppArgument {
    static let syntax = OperandSyntax(
        name: "APP",
        kind: .application,
        help: "The application's number or name; may be omitted if there is only one."
    )

    private let app: String?

    init(_ arguments: CommandArguments) {
        app = arguments.operands.first
    }

    /// The application's number. Asks the supervisor unless a number was given.
    func resolve(_ client: ControlClient) async throws(ControlError) -> Int64 {
        if let number = Self.number(app) { return number }
        return try Self.choose(app, in: await client.getJSON("/control/status"))
    }

    /// As `resolve`, by what GET /control/status has answered.
    func choose(in status: JSONValue) throws(ControlError) -> Int64 {
        if let number = Self.number(app) { return number }
        return try Self.choose(app, in: status)
    }

    private static func number(_ text: String?) -> Int64? {
        guard let text, text.utf8.isDecimal else { return nil }
        return Int64(text)
    }

    /// The number of the application called `name`, or of the only one.
    static func choose(_ name: String?, in status: JSONValue) throws(ControlError) -> Int64 {
        let apps = (status["apps"]?.arrayValue ?? []).compactMap { app in
            app["appId"]?.integerValue.map { (number: $0, name: app["name"]?.stringValue ?? "") }
        }
        let fitting = name == nil ? apps : apps.filter { $0.name == name }
        if let only = fitting.first, fitting.count == 1 { return only.number }
        let list = apps.map { "\($0.number) (\(TerminalText.safe($0.name)))" }.joined(separator: ", ")
        switch (name, apps.isEmpty) {
        case (_, true):
            throw ControlError(.failed, "this device has no application")
        case (let name?, false) where fitting.isEmpty:
            throw ControlError(.failed, "there is no application \(name); there are: \(list)")
        default:
            throw ControlError(.usage, "which application? Give its number: \(list)")
        }
    }
}
