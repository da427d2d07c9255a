import DBus

/// org.freedesktop.systemd1(5), as far as it is about power.
struct Systemd1: Sendable {
    let bus: SystemBus

    /// The shutdown that systemd has begun, no matter which program requested it.
    func shutdown(timeout: Duration) async throws(BusError) -> PowerAction? {
        let reply = try await bus.call(
            "org.freedesktop.systemd1",
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "ListJobs",
            timeout: timeout
        )
        return Self.shutdown(jobs: reply.first ?? .array(of: "(usssoo)", []))
    }

    /// From the answer of ListJobs, a(usssoo): number, unit, type, state, and two paths.
    static func shutdown(jobs: BusValue) -> PowerAction? {
        for case .structure(let job) in jobs.elements ?? [] where job.count >= 4 && job[2].text == "start" {
            if let action = job[1].text.flatMap(PowerAction.init(unit:)) { return action }
        }
        return nil
    }
}
