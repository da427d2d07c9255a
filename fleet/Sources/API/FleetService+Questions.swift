import Foundation
import JSON

/// What the public SDKs ask before they send a command. Nothing else of OData is answered.
extension FleetService {
    private static let known = "id, uuid, device_name, supervisor_version, os_version, os_variant, is_online, status"

    func question(_ call: Call) async throws -> Answer {
        guard call.method == "GET" else { throw Refusal.methodNotAllowed("GET") }
        switch call.parts {
        case ["actor", "v1", "whoami"]:
            let id = try await actorID(call)
            return Answer(200, ["id": .integer(id), "actorType": "user"])
        case ["user", "v1", "whoami"], ["whoami"]:
            let (token, _) = try await token(call, atLeast: .read)
            return Answer(200, ["id": .integer(token.id), "username": .string(token.name), "email": .null])
        default:
            guard call.parts.count == 2, ["v4", "v5", "v6", "v7"].contains(call.parts[0]) else {
                throw Refusal.notFound
            }
            return try await devices(call)
        }
    }

    private func actorID(_ call: Call) async throws -> Int64 {
        switch try await principal(call) {
        case .token(let token, _), .provisioning(let token): token.id
        case .device(let device): device.id
        }
    }

    /// `device(<id>)`, `device(uuid='<uuid>')`, `device?$filter=uuid eq '<uuid>'`
    private func devices(_ call: Call) async throws -> Answer {
        let principal = try await principal(call)
        let parameters = call.parameters
        for name in parameters.keys where !["$select", "$expand", "$filter", "$top", "apikey"].contains(name) {
            throw Refusal(400, "the option \(name.cut(toBytes: 64)) is not known; $select, $expand and $filter are")
        }
        let resource = call.parts[1]
        var key = ""
        if resource.utf8.starts(with: "device(".utf8), resource.utf8.last == UInt8(ascii: ")") {
            key = String(resource.dropFirst("device(".count).dropLast())
        } else if resource == "device", let filter = parameters["$filter"] {
            key = filter.replacingOccurrences(of: " eq ", with: "=")
        } else {
            throw Refusal(400, "only device(<id>), device(uuid='<uuid>') and $filter=uuid eq '<uuid>' are known")
        }
        var uuid: String?
        var id: Int64?
        if key.utf8.starts(with: "uuid='".utf8), key.utf8.last == UInt8(ascii: "'") {
            uuid = String(key.dropFirst(6).dropLast())
        } else if key.utf8.starts(with: "id=".utf8) {
            id = Int64(key.dropFirst(3))
        } else {
            id = Int64(key)
        }
        guard uuid != nil || id != nil else {
            throw Refusal(400, "only device(<id>), device(uuid='<uuid>') and $filter=uuid eq '<uuid>' are known")
        }
        let found = try await fleet.registry.read { [uuid, id] transaction -> (FleetDevice, FleetApplication)? in
            var device: FleetDevice?
            if let uuid { device = FleetDevice.isUUID(uuid) ? try transaction.device(uuid: uuid) : nil }
            if let id { device = try transaction.device(id: id) }
            guard let device, let application = try transaction.application(id: device.application) else { return nil }
            return (device, application)
        }
        guard let (device, application) = found, Self.sees(principal, device) else { return Answer(200, ["d": []]) }
        return Answer(200, ["d": [try entity(device, application, parameters)]])
    }

    private static func sees(_ principal: Principal, _ device: FleetDevice) -> Bool {
        switch principal {
        case .token(let token, _): token.covers(application: device.application)
        // For the exchange of a key after a registration that was cut off.
        case .provisioning(let token): token.covers(application: device.application)
        case .device(let own): own.id == device.id
        }
    }

    private func entity(
        _ device: FleetDevice,
        _ application: FleetApplication,
        _ parameters: [String: String]
    ) throws -> JSONValue {
        let isOnline = fleet.presence.entry(of: device.uuid)?.isConnected ?? false
        let all: JSONObject = [
            "id": .integer(device.id), "uuid": .string(device.uuid), "device_name": .string(device.name),
            "supervisor_version": .string(device.supervisorVersion), "os_version": .string(device.osVersion),
            "os_variant": .string(device.osVariant), "is_online": .bool(isOnline), "status": .string(device.status),
        ]
        var object = all
        if let select = parameters["$select"], select != "*" {
            object = JSONObject()
            for name in select.split(separator: ",").map(String.init) {
                guard let value = all[name] else {
                    if name == "belongs_to__application" { continue }
                    throw Refusal(400, "$select knows \(Self.known)")
                }
                object[name] = value
            }
        }
        if let expand = parameters["$expand"] {
            guard expand.utf8.starts(with: "belongs_to__application".utf8) else {
                throw Refusal(400, "$expand knows belongs_to__application")
            }
            object["belongs_to__application"] = [
                [
                    "id": .integer(application.id), "app_name": .string(application.name),
                    "uuid": .string(application.uuid), "slug": .string(application.name),
                ]
            ]
        } else if parameters["$select"]?.contains("belongs_to__application") ?? true {
            object["belongs_to__application"] = ["__id": .integer(application.id)]
        }
        return .object(object)
    }
}
