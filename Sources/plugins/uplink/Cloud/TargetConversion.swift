import JSON

/// Writes a target of the service's protocol v3 as v2, whose `local` is the format of the supervisor's target file.
enum TargetConversion {
    static func v2(fromV3 device: JSONObject) -> JSONValue {
        var apps: [(String, JSONValue)] = []
        for member in device["apps"]?.objectValue ?? [:] {
            guard let app = member.value.objectValue, let id = number(app["id"]) else { continue }
            apps.append((id, v2(app)))
        }
        return [
            "name": device["name"] ?? "",
            "config": device["config"] ?? [:],
            "apps": .object(JSONObject(apps)),
        ]
    }

    private static func v2(_ app: JSONObject) -> JSONValue {
        var result: JSONObject = ["name": app["name"] ?? ""]
        // Of several releases only the first counts; without any, nothing is to run.
        let release = app["releases"]?.objectValue?.members.first
        result["commit"] = .string(release?.name ?? "")
        if let id = release?.value["id"] { result["releaseId"] = id }
        var services: [(String, JSONValue)] = []
        for service in release?.value["services"]?.objectValue ?? [:] {
            guard let members = service.value.objectValue, let id = number(members["id"]) else { continue }
            services.append((id, v2(service.name, members)))
        }
        result["services"] = .object(JSONObject(services))
        result["volumes"] = release?.value["volumes"] ?? [:]
        result["networks"] = release?.value["networks"] ?? [:]
        return .object(result)
    }

    private static func v2(_ name: String, _ service: JSONObject) -> JSONValue {
        // The composition first, so that it cannot replace what the service says itself.
        var result = service["composition"]?.objectValue ?? [:]
        result["serviceName"] = .string(name)
        if let id = service["image_id"] { result["imageId"] = id }
        for name in ["image", "running", "environment", "labels", "contract"] {
            if let value = service[name] { result[name] = value }
        }
        return .object(result)
    }

    /// An id is a number, or its digits.
    private static func number(_ value: JSONValue?) -> String? {
        if let number = value?.integerValue { return "\(number)" }
        return value?.plainValue
    }
}
