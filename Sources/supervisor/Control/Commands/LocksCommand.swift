import ArgumentParser
import Glibc
import SupervisorPluginAPI

struct LocksCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "locks",
        abstract: "Show the update locks that are held, and by whom.",
        discussion: """
            An operating system updater that is about to reboot may ask with --check, which exits with 75 while any \
            lock is held, or with --wait, which returns when none is.
            """
    )

    @ParentCommand var root: Supervisorctl
    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Exit with 75 if a lock is held.")
    var check = false

    @Flag(help: "Return when no lock is held any more.")
    var wait = false

    @Flag(help: "Print the supervisor's answer as JSON, on one line.")
    var json = false

    func act(_ client: ControlClient) async throws(ControlFailure) -> String {
        let locks =
            wait
            ? try await client.getJSON("/control/locks?wait=1", timeout: ControlClient.forever)
            : try await client.getJSON("/control/locks")
        let list = locks.arrayValue ?? []
        let output = json ? locks.text : LockReport(list).text(now: Int64(time(nil)))
        if check, !list.isEmpty {
            print(output)
            throw ControlFailure(.notNow, "")
        }
        return output
    }
}
