import DBus

/// org.freedesktop.login1(5), as far as it is about power.
struct Login1: Sendable {
    private static let name = "org.freedesktop.login1"
    private static let path = "/org/freedesktop/login1"
    private static let interface = "org.freedesktop.login1.Manager"

    /// What is known about a shutdown that has been accepted and not yet begun.
    struct Preparation: Sendable, Hashable {
        var isPreparing = false
        /// Provided by newer versions of systemd, such as "reboot".
        var kind: String?
        /// For how long programs may delay a shutdown.
        var longestDelay = Duration.seconds(5)
    }

    let bus: SystemBus

    /// Asks for it without a dialogue.
    func start(_ action: PowerAction, timeout: Duration) async throws(BusError) {
        try await call(action.method, [.bool(false)], timeout)
    }

    /// What CanReboot or CanPowerOff says: "yes", "no", "na" or "challenge".
    func permission(for action: PowerAction, timeout: Duration) async throws(BusError) -> String {
        try await call("Can\(action.method)", [], timeout).first?.text ?? ""
    }

    func inhibitors(timeout: Duration) async throws(BusError) -> [Inhibitor] {
        (try await call("ListInhibitors", [], timeout).first?.elements ?? []).compactMap(Inhibitor.init)
    }

    func preparation(timeout: Duration) async throws(BusError) -> Preparation {
        let reply = try await bus.call(
            Self.name,
            path: Self.path,
            interface: "org.freedesktop.DBus.Properties",
            member: "GetAll",
            arguments: [.string(Self.interface)],
            timeout: timeout
        )
        return Preparation(properties: reply.first ?? .array(of: "{sv}", []))
    }

    @discardableResult
    private func call(
        _ member: String,
        _ arguments: [BusValue],
        _ timeout: Duration
    ) async throws(BusError) -> [BusValue] {
        try await bus.call(
            Self.name,
            path: Self.path,
            interface: Self.interface,
            member: member,
            arguments: arguments,
            timeout: timeout
        )
    }
}

extension Login1.Preparation {
    /// From the properties of the manager, a{sv}.
    init(properties: BusValue) {
        isPreparing = properties["PreparingForShutdown"]?.bool ?? false
        kind = properties["PreparingForShutdownWithMetadata"]?["type"]?.text
        if let microseconds = properties["InhibitDelayMaxUSec"]?.integer {
            longestDelay = .microseconds(min(microseconds, 60_000_000))
        }
    }
}

extension BusValue {
    /// The value of a dictionary of strings.
    fileprivate subscript(key: String) -> BusValue? {
        for case .entry(.string(key), let value) in elements ?? [] { return value }
        return nil
    }
}
