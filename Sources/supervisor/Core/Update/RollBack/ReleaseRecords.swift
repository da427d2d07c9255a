import JSON

/// What is known of the releases of services that are to be rolled back when they fail: for each the last good one, and
/// the one that was rolled back to it.
struct ReleaseRecords: Sendable, Hashable {
    /// A release that stayed up for as long as it had to.
    struct Good: Sendable, Hashable {
        /// The fingerprint of `ContainerBuilder.release`.
        var release: String
        var commit: String
        /// The application with this one service, as a target has it.
        var definition: JSONObject
        var isMultiService: Bool
        /// The id of its image; empty where it is not known. Its name may stand for another one by now.
        var imageID = ""

        /// nil where it can no longer be read.
        func app(_ id: AppID) -> AppTarget? {
            AppTarget(recovered: id, definition, isMultiService: isMultiService)
        }
    }

    /// A release that failed. It is not tried again until the target has another one.
    struct Rejected: Sendable, Hashable {
        var release: String
        var commit: String
        var releaseID: String
        /// For people.
        var reason: String
    }

    var good: [ServiceKey: Good] = [:]
    var rejected: [ServiceKey: Rejected] = [:]

    /// Whether this is the release of the service that failed.
    func rejects(_ app: AppTarget, _ service: ServiceTarget) -> Bool {
        guard let rejected = rejected[ServiceKey(app: app.id, service: service.name)] else { return false }
        return rejected.commit == app.commit && rejected.releaseID == app.releaseID
            && rejected.release == ContainerBuilder.release(app, service)
    }

    /// Forgets services that there are no more.
    mutating func keep(only keys: Set<ServiceKey>) {
        good = good.filter { keys.contains($0.key) }
        rejected = rejected.filter { keys.contains($0.key) }
    }
}

extension ReleaseRecords.Good {
    init(_ app: AppTarget, _ service: ServiceTarget, imageID: String) {
        let used = Set(service.composition.networks.map(\.network))
        let networks = app.networks.filter { used.contains($0.name) }
        self.init(
            release: ContainerBuilder.release(app, service),
            commit: app.commit,
            definition: [
                "name": .string(app.name),
                "commit": .string(app.commit),
                "releaseId": .string(app.releaseID),
                "services": .object(JSONObject([(service.id, .object(service.definition))])),
                "networks": .object(JSONObject(networks.map { ($0.name, .object($0.definition)) })),
            ],
            isMultiService: app.isMultiService,
            imageID: imageID
        )
    }
}

// MARK: As it is kept

extension ReleaseRecords {
    /// A list of {app, service, good?: {release, multiService, app}, rejected?: {release, commit, releaseId, reason}}.
    var json: JSONValue {
        .array(
            Set(good.keys).union(rejected.keys).sorted().map { key in
                var entry: JSONObject = ["app": .string(key.app.description), "service": .string(key.service)]
                entry["good"] = good[key].map { good in
                    [
                        "release": .string(good.release),
                        "multiService": .bool(good.isMultiService),
                        "app": .object(good.definition),
                        "imageId": .string(good.imageID),
                    ]
                }
                entry["rejected"] = rejected[key].map { rejected in
                    [
                        "release": .string(rejected.release),
                        "commit": .string(rejected.commit),
                        "releaseId": .string(rejected.releaseID),
                        "reason": .string(rejected.reason),
                    ]
                }
                return .object(entry)
            }
        )
    }

    /// Incomplete entries are left out; nil for what is no list.
    init?(json: JSONValue) {
        guard let entries = json.arrayValue else { return nil }
        for entry in entries {
            guard let app = entry["app"]?.stringValue.flatMap(AppID.init(digits:)),
                let service = entry["service"]?.stringValue
            else { continue }
            let key = ServiceKey(app: app, service: service)
            if let value = entry["good"], let release = value["release"]?.stringValue,
                let isMultiService = value["multiService"]?.boolValue, let definition = value["app"]?.objectValue
            {
                good[key] = Good(
                    release: release,
                    commit: definition["commit"]?.stringValue ?? "",
                    definition: definition,
                    isMultiService: isMultiService,
                    imageID: value["imageId"]?.stringValue ?? ""
                )
            }
            if let value = entry["rejected"], let release = value["release"]?.stringValue,
                let commit = value["commit"]?.stringValue, let releaseID = value["releaseId"]?.stringValue,
                let reason = value["reason"]?.stringValue
            {
                rejected[key] = Rejected(release: release, commit: commit, releaseID: releaseID, reason: reason)
            }
        }
    }
}
