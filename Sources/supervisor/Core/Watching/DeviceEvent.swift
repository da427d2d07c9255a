import JSON

/// Something that the device did or that happened to it, for those who watch it: `superctl events`.
///
/// Names and members are a contract with scripts; docs/man/superctl.1 lists them.
struct DeviceEvent: Sendable, Hashable {
    /// What it is about and what became of it: "container.started".
    var name: String
    var members: JSONObject = [:]
    /// Not worth keeping: it goes to current watchers, and is not stored for later ones.
    var isFleeting = false

    private init(_ name: String, _ members: JSONObject = [:], isFleeting: Bool = false) {
        self.name = name
        self.members = members
        self.isFleeting = isFleeting
    }

    private init(_ name: String, _ key: ServiceKey, _ more: JSONObject = [:]) {
        var members: JSONObject = ["appId": .integer(key.app.number), "service": .string(key.service)]
        for member in more { members[member.name] = member.value }
        self.init(name, members)
    }

    // MARK: The supervisor and its target

    static let supervisorStopping = DeviceEvent("supervisor.stopping")
    static let keyRegenerated = DeviceEvent("key.regenerated")

    /// A new target is in effect; `summary` for people.
    static func targetChanged(_ summary: String) -> DeviceEvent {
        DeviceEvent("target.changed", ["summary": .string(summary)])
    }

    /// The target file is wrong; the last good target stays in effect.
    static func targetRefused(_ reason: String) -> DeviceEvent {
        DeviceEvent("target.refused", ["reason": .string(reason)])
    }

    // MARK: Images

    static func downloadBegan(_ key: ServiceKey, image: String) -> DeviceEvent {
        DeviceEvent("download.began", key, ["image": .string(image)])
    }

    /// `percentage` from 0 to 100.
    static func downloadProgress(_ key: ServiceKey, image: String, _ percentage: Double) -> DeviceEvent {
        var event = DeviceEvent(
            "download.progress",
            key,
            ["image": .string(image), "percent": .integer(Int64(percentage))]
        )
        event.isFleeting = true
        return event
    }

    static func downloadDone(_ key: ServiceKey, image: String) -> DeviceEvent {
        DeviceEvent("download.done", key, ["image": .string(image)])
    }

    static func downloadFailed(_ key: ServiceKey, image: String, _ reason: String) -> DeviceEvent {
        DeviceEvent("download.failed", key, ["image": .string(image), "reason": .string(reason)])
    }

    // MARK: Containers, as the engine reports them

    static func containerCreated(_ key: ServiceKey, _ id: String) -> DeviceEvent {
        DeviceEvent("container.created", key, ["containerId": .string(id)])
    }

    static func containerStarted(_ key: ServiceKey, _ id: String) -> DeviceEvent {
        DeviceEvent("container.started", key, ["containerId": .string(id)])
    }

    /// Because it was asked to, by us or by another client.
    static func containerStopped(_ key: ServiceKey, _ id: String) -> DeviceEvent {
        DeviceEvent("container.stopped", key, ["containerId": .string(id)])
    }

    static func containerRemoved(_ key: ServiceKey, _ id: String) -> DeviceEvent {
        DeviceEvent("container.removed", key, ["containerId": .string(id)])
    }

    /// Its process ended, and not because of us.
    static func containerDied(_ key: ServiceKey, _ id: String, exitCode: Int?) -> DeviceEvent {
        DeviceEvent(
            "container.died",
            key,
            ["containerId": .string(id), "exitCode": exitCode.map { .integer(Int64($0)) } ?? .null]
        )
    }

    /// Its process keeps crashing.
    static func crashLoopBegan(_ key: ServiceKey, exitCode: Int?) -> DeviceEvent {
        DeviceEvent("service.crash-loop-began", key, ["exitCode": exitCode.map { .integer(Int64($0)) } ?? .null])
    }

    static func crashLoopEnded(_ key: ServiceKey) -> DeviceEvent { DeviceEvent("service.crash-loop-ended", key) }

    // MARK: Updates

    /// An update lock keeps an update from happening; `reason` names it.
    static func updateBlocked(_ reason: String) -> DeviceEvent {
        DeviceEvent("update.blocked", ["reason": .string(reason)])
    }

    /// No update lock is in its way any more.
    static let updateUnblocked = DeviceEvent("update.unblocked")
    /// The device is what its target says, after it was not.
    static let updateSucceeded = DeviceEvent("update.succeeded")

    static func updateFailed(_ reason: String) -> DeviceEvent {
        DeviceEvent("update.failed", ["reason": .string(reason)])
    }

    /// The service runs what it ran before.
    static func updateRolledBack(_ key: ServiceKey, _ reason: String) -> DeviceEvent {
        DeviceEvent("update.rolled-back", key, ["reason": .string(reason)])
    }

    // MARK: Around it

    static func engineConnected(name: String, version: String) -> DeviceEvent {
        DeviceEvent("engine.connected", ["name": .string(name), "version": .string(version)])
    }

    static func engineAway(_ reason: String) -> DeviceEvent {
        DeviceEvent("engine.away", ["reason": .string(reason)])
    }

    /// `state` as `superctl plugins` has it.
    static func plugin(_ name: String, state: String, reason: String?) -> DeviceEvent {
        DeviceEvent(
            "plugin.\(state)",
            ["plugin": .string(name), "reason": reason.map(JSONValue.string) ?? .null]
        )
    }

    /// A reboot or power-off is under way: nothing else may change.
    static func powerGateClosed(_ kind: String) -> DeviceEvent {
        DeviceEvent("power.closed", ["kind": .string(kind)])
    }

    /// How far it is, in the words of `status`.
    static func powerPhase(_ kind: String, _ phase: String) -> DeviceEvent {
        DeviceEvent("power.phase", ["kind": .string(kind), "phase": .string(phase)])
    }

    static let powerGateOpened = DeviceEvent("power.opened")

    /// The TCP heartbeat is answered, or is not.
    static func connectivity(_ isConnected: Bool) -> DeviceEvent {
        DeviceEvent(isConnected ? "connectivity.online" : "connectivity.offline")
    }
}
