import JSON
import SupervisorCommandLine

struct UplinkCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "uplink",
        abstract: "Show or change the device's registration with its remote service.",
        discussion: """
            status shows whether the device is registered and connected. register registers it now, also after \
            disconnect. disconnect leaves the service until register; the applications keep running.
            """,
        operands: [
            OperandSyntax(
                name: "ACTION",
                kind: .choice(actions),
                isRequired: true,
                help: "status, register or disconnect."
            )
        ],
        options: [.json]
    )

    private static let actions = ["status", "register", "disconnect"]

    private let action: String
    private let json: Bool

    init(_ arguments: CommandArguments) {
        action = arguments.operands[0]
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        guard Self.actions.contains(action) else {
            throw ControlError(.usage, "\(action.debugDescription) is none of \(Self.actions.joined(separator: ", "))")
        }
        let answer = try await client.postJSON(
            "/control/call",
            ["operation": .string("uplink.\(action)")],
            timeout: .seconds(120)
        )
        if let error = answer["error"] { throw ControlError(.failed, CallCommand.text(of: error)) }
        let state = answer["result"] ?? .null
        return json ? state.text : Self.text(state)
    }

    static func text(_ state: JSONValue) -> String {
        func word(_ name: String) -> String? { state[name]?.stringValue.map(TerminalText.safe) }
        let isRegistered = state["registered"]?.boolValue == true
        var rows = [["Server", word("server") ?? "none"]]
        let registration =
            state["disconnected"]?.boolValue == true
            ? "disconnected by an operator" : isRegistered ? "registered" : "not registered"
        rows.append(["Device", registration])
        if let uuid = word("uuid") { rows.append(["UUID", uuid]) }
        if let id = state["deviceId"]?.integerValue { rows.append(["Device id", "\(id)"]) }
        let since = state["since"]?.integerValue.map { " since \(LocalTime.text($0))" } ?? ""
        rows.append(["Commands", (state["connected"]?.boolValue == true ? "connected" : "not connected") + since])
        if let error = word("error") { rows.append(["Last error", error]) }
        return TerminalText.columns(rows).joined(separator: "\n")
    }
}
