import JSON
import Testing

@testable import SupervisorCore

extension Bench {
    /// Begins a reboot.
    func reboot(force: Bool = false) -> Call<Void> {
        call { try await $0.reboot(force: force, requestID: "r1") }
    }

    /// What `superctl status` knows of it.
    var power: JSONValue? {
        get async { await supervisor.status()["power"] }
    }

    /// Whether applications 1 and 2 run.
    var bothRun: Bool { container(1).state == .running && container(2).state == .running }
}
