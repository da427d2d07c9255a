import JSON
import SupervisorCommandLine

struct VolumesCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "volumes",
        abstract: "Show the volumes of applications, and which of them are unused.",
        discussion: """
            A volume outlives its application. One that is no longer needed can be removed with the container engine's \
            own tool: docker volume rm NAME.
            """,
        options: [.json]
    )

    private let json: Bool

    init(_ arguments: CommandArguments) {
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let volumes = try await client.getJSON("/control/volumes", timeout: .seconds(60))
        return json ? volumes.text : Self.text(volumes.arrayValue ?? [], style: Terminal.output.style)
    }

    static func text(_ volumes: [JSONValue], style: TextStyle = .plain) -> String {
        guard !volumes.isEmpty else { return "No application has a volume." }
        let rows = volumes.map { volume in
            let state = TerminalText.safe(volume["state"]?.stringValue ?? "-")
            let app = [
                volume["appId"]?.integerValue.map { "\($0)" }, volume["app"]?.stringValue.map(TerminalText.safe),
            ]
            return [
                TerminalText.safe(volume["name"]?.stringValue ?? "-"),
                app.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: " "),
                TerminalText.safe(volume["volume"]?.stringValue ?? "-"),
                state == "in use" ? state : style.warning(state),
            ]
        }
        return TerminalText.columns([["NAME", "APP", "VOLUME", "STATE"]] + rows).joined(separator: "\n")
    }
}
