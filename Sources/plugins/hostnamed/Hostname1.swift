import DBus

/// org.freedesktop.hostname1(5), as far as it is about the static hostname.
struct Hostname1: Sendable {
    private static let name = "org.freedesktop.hostname1"
    private static let path = "/org/freedesktop/hostname1"
    /// Below the 10 s that the core gives a call. hostnamed has to be started first.
    private static let patience = Duration.seconds(4)

    let bus: SystemBus

    /// Of /etc/hostname; empty where there is none.
    func staticHostname() async throws(BusError) -> String {
        try await bus.property(
            "StaticHostname",
            of: Self.name,
            at: Self.name,
            path: Self.path,
            timeout: Self.patience
        ).text ?? ""
    }

    /// Writes /etc/hostname and sets the kernel's name. An empty name would delete the file.
    func setStaticHostname(_ hostname: String) async throws(BusError) {
        _ = try await bus.call(
            Self.name,
            path: Self.path,
            interface: Self.name,
            member: "SetStaticHostname",
            // Never interactive.
            arguments: [.string(hostname), .bool(false)],
            timeout: Self.patience
        )
    }
}
