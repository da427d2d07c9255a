import Glibc
import JSON
import SupervisorCommandLine

struct LocksCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "locks",
        abstract: "Show the update locks that are held, and who holds them.",
        discussion: """
            An operating system updater that is about to reboot can use --check, which exits with 75 while a lock is \
            held, or --wait, which returns when none is held.
            """,
        options: [.check, .wait, .json]
    )

    private let check: Bool
    private let wait: Bool
    private let json: Bool

    init(_ arguments: CommandArguments) {
        check = arguments.has(.check)
        wait = arguments.has(.wait)
        json = arguments.has(.json)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        let locks =
            wait
            ? try await client.getJSON("/control/locks?wait=1", timeout: ControlClient.forever)
            : try await client.getJSON("/control/locks")
        let list = locks.arrayValue ?? []
        let output = json ? locks.text : LockReport(list).text(now: Int64(time(nil)))
        if check, !list.isEmpty {
            print(output)
            throw ControlError(.notNow, "")
        }
        return output
    }
}

extension OptionSyntax {
    fileprivate static let check = OptionSyntax(name: "check", help: "Exit with 75 if a lock is held.")
}
