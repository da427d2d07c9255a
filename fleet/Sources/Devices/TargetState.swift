import JSON

/// What a device is to run, as the two versions of the protocol have it.
struct TargetState: Sendable {
    /// Devices do not poll more often than that.
    static let pollInterval = "600000"

    private var device: FleetDevice
    private var application: FleetApplication
    private var release: Release?
    private var target: JSONValue

    init(of device: FleetDevice, in transaction: RegistryTransaction) throws {
        guard let application = try transaction.application(id: device.application) else {
            throw SQLError(message: "the application of device \(device.uuid) is missing")
        }
        self.device = device
        self.application = application
        let commit = device.pinnedCommit ?? application.activeCommit
        release = try commit.flatMap { try transaction.release(application: application.id, commit: $0) }
        target = try release.map { try JSONValue(parsing: $0.target) } ?? .null
    }

    private var config: JSONValue {
        var config = target["config"]?.objectValue ?? JSONObject()
        config["RESIN_SUPERVISOR_POLL_INTERVAL"] =
            config["RESIN_SUPERVISOR_POLL_INTERVAL"] ?? .string(Self.pollInterval)
        return .object(config)
    }

    /// The services with their numbers. A service keeps its number from release to release, an image does not.
    private var services: [(name: String, id: Int64, image: Int64, value: JSONObject)] {
        let services = target["services"]?.objectValue ?? JSONObject()
        return services.enumerated().compactMap { index, member in
            guard let value = member.value.objectValue, let release else { return nil }
            return (member.name, Self.number(of: member.name), release.id * 1000 + Int64(index) + 1, value)
        }
    }

    /// FNV-1a of the name, 31 bits of it.
    private static func number(of name: String) -> Int64 {
        var hash: UInt32 = 2_166_136_261
        for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int64(hash & 0x7FFF_FFFF)
    }

    /// `{"local":{…},"dependent":{…}}`
    var version2: JSONValue {
        var apps = JSONObject()
        if let release {
            var services = JSONObject()
            for service in self.services {
                var value: JSONObject = [
                    "serviceName": .string(service.name), "imageId": .integer(service.image), "running": true,
                    "environment": [:], "labels": [:],
                ]
                for (member) in service.value { value[member.name] = member.value }
                services[String(service.id)] = .object(value)
            }
            apps[String(application.id)] = [
                "name": .string(application.name), "commit": .string(release.commit),
                "releaseId": .integer(release.id), "services": .object(services),
                "volumes": target["volumes"] ?? [:], "networks": target["networks"] ?? [:],
            ]
        }
        return [
            "local": ["name": .string(device.name), "config": config, "apps": .object(apps)],
            "dependent": ["apps": [:], "devices": [:]],
        ]
    }

    /// `{"<uuid>":{…}}`
    var version3: JSONValue {
        var releases = JSONObject()
        if let release {
            var services = JSONObject()
            for service in self.services {
                var value: JSONObject = [
                    "id": .integer(service.id), "image_id": .integer(service.image), "image": "", "running": true,
                    "environment": [:], "labels": [:],
                ]
                var composition = JSONObject()
                for member in service.value {
                    switch member.name {
                    case "image", "running", "environment", "labels", "contract": value[member.name] = member.value
                    default: composition[member.name] = member.value
                    }
                }
                value["composition"] = .object(composition)
                services[service.name] = .object(value)
            }
            releases[release.commit] = [
                "id": .integer(release.id), "services": .object(services), "volumes": target["volumes"] ?? [:],
                "networks": target["networks"] ?? [:],
            ]
        }
        let app: JSONValue = [
            "id": .integer(application.id), "name": .string(application.name), "class": "fleet", "is_host": false,
            "releases": .object(releases),
        ]
        let state: JSONValue = [
            "name": .string(device.name), "config": config, "apps": .object([(application.uuid, app)].object),
        ]
        return .object([(device.uuid, state)].object)
    }
}

extension [(String, JSONValue)] {
    fileprivate var object: JSONObject { JSONObject(self) }
}
