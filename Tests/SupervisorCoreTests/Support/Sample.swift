import JSON

@testable import SupervisorCore

/// Target states to test with.
enum Sample {
    /// A target of applications that run one service `main` each.
    static func target(_ apps: (Int64, JSONValue)..., config: JSONValue = [:]) -> JSONValue {
        [
            "name": "device", "config": config,
            "apps": .object(JSONObject(apps.map { (String($0.0), $0.1) })),
        ]
    }

    static func app(_ image: String, commit: String = "c1", _ extra: KeyValuePairs<String, JSONValue> = [:])
        -> JSONValue
    {
        var service: JSONObject = ["serviceName": "main", "imageId": 12, "image": .string(image)]
        for (name, value) in extra { service[name] = value }
        return [
            "name": "my app", "commit": .string(commit), "releaseId": 7,
            "services": ["1": .object(service)],
        ]
    }

    /// An application of several services, each with these members beside its name and an image `<name>:<version>`.
    static func wholeApp(
        commit: String = "c1",
        _ services: KeyValuePairs<String, JSONObject>,
        networks: JSONObject = [:],
        volumes: JSONObject = [:]
    ) -> JSONValue {
        var objects: JSONObject = [:]
        for (index, (name, members)) in services.enumerated() {
            var service: JSONObject = ["serviceName": .string(name), "image": .string("\(name):1")]
            for member in members { service[member.name] = member.value }
            objects[String(index + 1)] = .object(service)
        }
        return [
            "name": "whole", "commit": .string(commit), "releaseId": 7, "services": .object(objects),
            "networks": .object(networks), "volumes": .object(volumes),
        ]
    }

    /// The target of a service `main` with these members.
    static func document(service members: String) -> String {
        let comma = members.isEmpty ? "" : ","
        return """
            {"apps":{"1":{"commit":"c","services":{"5":{"serviceName":"main","image":"img:1"\(comma)\(members)}}}}}
            """
    }

    static func parse(_ text: String) throws -> TargetState {
        var parser = TargetParser()
        let target = try parser.parse(Array(text.utf8)).target
        if let rejection = parser.rejections.first { throw rejection.error }
        return target
    }
}
