import JSON

/// What holds until the device boots: it outlives the supervisor, and is forgotten with the boot id.
struct BootMemory: Sendable, Hashable {
    /// Of the boot that it is about (/proc/sys/kernel/random/boot_id).
    var boot: String
    /// Services that end by their own policy and have run: they run once in a boot.
    var hasRun: Set<ServiceKey> = []
    /// Ids of containers with the policy `unless-stopped` that somebody stopped at the engine.
    var stoppedByOthers: Set<String> = []

    init(boot: String) {
        self.boot = boot
    }

    /// As it is kept: {boot, hasRun: [{app, service}], stopped: [id]}.
    var json: JSONObject {
        [
            "boot": .string(boot),
            "hasRun": .array(
                hasRun.sorted().map { ["app": .string($0.app.description), "service": .string($0.service)] }
            ),
            "stopped": .array(stoppedByOthers.sorted().map(JSONValue.string)),
        ]
    }

    /// nil without a boot id; incomplete entries are left out.
    init?(json: JSONObject) {
        guard let boot = json["boot"]?.stringValue else { return nil }
        self.boot = boot
        hasRun = Set(
            (json["hasRun"]?.arrayValue ?? []).compactMap { entry in
                guard let app = entry["app"]?.stringValue.flatMap(AppID.init(digits:)),
                    let service = entry["service"]?.stringValue
                else { return nil }
                return ServiceKey(app: app, service: service)
            }
        )
        stoppedByOthers = Set((json["stopped"]?.arrayValue ?? []).compactMap(\.stringValue))
    }
}
