public import SupervisorPluginAPI

/// Reads a target state. Refuses what it does not understand where that would change what runs; a member that it does
/// not know is a warning.
public struct TargetParser {
    public private(set) var warnings: [String] = []

    public init() {}

    /// Parses the bytes of a target state file.
    public mutating func parse(_ bytes: [UInt8]) throws(TargetError) -> (target: TargetState, json: JSONValue) {
        let json: JSONValue
        do throws(JSONParseError) {
            json = try JSONValue(parsing: bytes, limits: .init(depth: 32, size: 4 << 20))
        } catch {
            throw TargetError(place: "line \(error.line), column \(error.column)", reason: error.reason)
        }
        return (try parse(json), json)
    }

    public mutating func parse(_ json: JSONValue) throws(TargetError) -> TargetState {
        var root = try TargetMember(json, "").object()
        // The whole device state document is accepted as well as its `local` object.
        if let local = root["local"], root["apps"] == nil { root = try local.object() }
        var target = TargetState()
        target.name = try root["name"]?.string()
        target.config = try root["config"]?.stringMap() ?? [:]
        for (name, member) in try root.required("apps").object().members {
            guard let id = AppID(digits: name) else {
                throw TargetError(place: member.path, reason: "an application's id has digits only")
            }
            guard target[id] == nil else {
                throw TargetError(place: member.path, reason: "the application is there twice")
            }
            target.apps.append(try app(id, member))
        }
        target.apps.sort { $0.id < $1.id }
        warnUnknown(root, known: ["name", "config", "apps", "local"])
        return target
    }

    private mutating func app(_ id: AppID, _ member: TargetMember) throws(TargetError) -> AppTarget {
        let object = try member.object()
        var app = AppTarget(
            id: id,
            name: try object["name"]?.string() ?? "app-\(id)",
            commit: try object.required("commit").string(),
            releaseID: try object["releaseId"]?.text() ?? "",
            services: []
        )
        for (serviceID, value) in try object.required("services").object().members {
            let service = try service(serviceID, value)
            guard !app.services.contains(where: { $0.name == service.name }) else {
                throw TargetError(place: value.path, reason: "a second service is called \(service.name)")
            }
            app.services.append(service)
        }
        app.volumes = try object["volumes"]?.object().members.map(\.name) ?? []
        app.networks = try object["networks"]?.object().members.map(\.name) ?? []
        try refuseWhatComesLater(app, member.path)
        warnUnknown(object, known: ["name", "commit", "releaseId", "services", "volumes", "networks"])
        return app
    }

    private func refuseWhatComesLater(_ app: AppTarget, _ path: String) throws(TargetError) {
        if app.services.count > 1 {
            throw TargetError(
                place: path + ".services",
                reason: "this version runs one service per application, found \(app.services.count)"
            )
        }
        if !app.volumes.isEmpty {
            throw TargetError(
                place: path + ".volumes",
                reason: "this version makes no volumes of an application, use /data; found \(app.volumes[0])"
            )
        }
        if !app.networks.isEmpty {
            throw TargetError(
                place: path + ".networks",
                reason: "this version makes no networks of an application; found \(app.networks[0])"
            )
        }
    }

    private mutating func service(_ id: String, _ member: TargetMember) throws(TargetError) -> ServiceTarget {
        let object = try member.object()
        var service = ServiceTarget(
            id: id,
            name: try object.required("serviceName").name(),
            imageID: try object["imageId"]?.text() ?? "",
            image: try object.required("image").imageReference(),
            running: try object["running"]?.bool() ?? true,
            environment: try object["environment"]?.environment() ?? [:],
            labels: try object["labels"]?.stringMap() ?? [:],
            definition: object.json
        )
        for label in ["io.resin.update.strategy", "io.balena.update.strategy"] {
            guard let value = service.labels[label], UpdateStrategy(rawValue: value) == nil else { continue }
            let allowed = UpdateStrategy.allCases.map(\.rawValue).joined(separator: ", ")
            throw TargetError(place: "\(member.path).labels.\(label)", reason: "\(value) is none of \(allowed)")
        }
        service.composition = try Composition(object)
        let own: Set<String> = ["serviceName", "imageId", "image", "running", "environment", "labels"]
        warnUnknown(object, known: own.union(Composition.keys))
        return service
    }

    private mutating func warnUnknown(_ object: TargetObject, known: Set<String>) {
        for (name, member) in object.members where !known.contains(name) {
            warnings.append("\(member.path): unknown, ignored")
        }
    }
}
