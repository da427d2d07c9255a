import Glibc
import SupervisorPluginAPI

struct StatusCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "status",
        abstract: "Show the device, its applications and what the supervisor is doing.",
        discussion: "Exits with 0 whenever the supervisor answers, however the device is.",
        options: [.json]
    )

    private let json: Bool

    init(_ arguments: CommandArguments) {
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let status = try await client.getJSON("/control/status")
        return json ? status.text : StatusReport(status).text(now: Int64(time(nil)))
    }
}
