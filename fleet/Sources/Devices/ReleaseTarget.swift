import JSON

/// A target as an operator sends it, brought into one form.
///
/// Either a device's whole target with one application (docs/target-state.md), or the application's object.
struct ReleaseTarget: Sendable {
    /// `{"config"?,"services":{"<name>":{…}},"volumes","networks"}`; members of services without ids.
    var text: String
    /// The digest that names the release.
    var commit: String

    init(_ document: JSONValue) throws(Refusal) {
        let device = document["local"] ?? document
        var application = device
        if let apps = device["apps"] {
            guard let object = apps.objectValue, object.count == 1, let only = object.members.first?.value else {
                throw Refusal(400, "apps must have exactly one application")
            }
            application = only
        }
        guard let given = application["services"]?.objectValue, !given.isEmpty else {
            throw Refusal(400, "services must be an object with at least one service")
        }
        guard given.count <= 500 else { throw Refusal(400, "a release has at most 500 services") }
        var services: [(String, JSONValue)] = []
        for member in given {
            guard var service = member.value.objectValue else {
                throw Refusal(400, "services.\(member.name.cut(toBytes: 64)) must be an object")
            }
            let name: String
            switch service["serviceName"] {
            case nil: name = member.name
            case .string(let text): name = text
            default: throw Refusal(400, "services.\(member.name.cut(toBytes: 64)).serviceName must be a string")
            }
            guard Self.isServiceName(name) else {
                throw Refusal(400, "a service's name must be 1 to 63 letters, digits, '_', '-' and '.'")
            }
            guard case .string(let image)? = service["image"], !image.isEmpty else {
                throw Refusal(400, "services.\(name).image must be the name of an image")
            }
            for ours in ["serviceName", "imageId", "image_id", "id"] { service[ours] = nil }
            services.append((name, .object(service)))
        }
        services.sort { Array($0.0.utf8).lexicographicallyPrecedes(Array($1.0.utf8)) }
        let object = JSONObject(services)
        guard object.count == services.count else { throw Refusal(400, "two services have the same name") }
        var target = JSONObject()
        if let config = application["config"] ?? device["config"] {
            guard let members = config.objectValue, members.allSatisfy({ $0.value.stringValue != nil }) else {
                throw Refusal(400, "config must be an object of strings")
            }
            if !members.isEmpty { target["config"] = config }
        }
        target["services"] = .object(object)
        for name in ["volumes", "networks"] {
            guard let value = application[name], !value.isNull else {
                target[name] = [:]
                continue
            }
            guard value.objectValue != nil else { throw Refusal(400, "\(name) must be an object") }
            target[name] = value
        }
        text = JSONValue.object(target).text
        commit = String(Secret.hash(text).prefix(40))
    }

    private static func isServiceName(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || "_.-".utf8.contains(byte)
            }
    }
}
