import ArgumentParser
import Glibc
import SupervisorPluginAPI

struct StatusCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the device, its applications and what the supervisor is doing.",
        discussion: "Exits with 0 whenever the supervisor answers, however the device is."
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Print the supervisor's answer as JSON, on one line.")
    var json = false

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let status = try await client.getJSON("/control/status")
        return json ? status.text : StatusReport(status).text(now: Int64(time(nil)))
    }
}
