import Foundation
import HTTPTypes
import Hummingbird
import JSON

extension FleetService {
    /// What devices ask for: `/device/…`, `/api-key/…` and `/bus/…`.
    func deviceRoute(_ call: Call) async throws -> Answer {
        let parts = call.parts
        switch (call.method, parts.count) {
        case (let method, 2) where parts == ["device", "register"]:
            guard method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            return try await register(call)
        case (let method, 4) where parts[0] == "api-key" && parts[1] == "device" && parts[3] == "device-key":
            guard method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            return try await exchangeKey(call, device: parts[2])
        case (let method, 3) where parts == ["bus", "v1", "credentials"]:
            guard method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            return try await busCredentials(call)
        case (let method, 3) where parts == ["device", "v3", "state"]:
            guard method == "PATCH" else { throw Refusal.methodNotAllowed("PATCH") }
            return try await reportV3(call)
        case (let method, 4) where parts[0] == "device" && ["v2", "v3"].contains(parts[1]) && parts[3] == "state":
            if method == "GET" { return try await target(call, uuid: parts[2], version: parts[1] == "v2" ? 2 : 3) }
            guard method == "PATCH", parts[1] == "v2" else {
                throw Refusal.methodNotAllowed(parts[1] == "v2" ? "GET, PATCH" : "GET")
            }
            return try await reportV2(call, uuid: parts[2])
        case (let method, 3) where parts[0] == "device" && parts[2] == "restart":
            guard method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            guard let id = Int64(parts[1]) else { throw Refusal.notFound }
            return try await restart(call, device: id)
        default:
            throw Refusal.notFound
        }
    }

    // MARK: - Registration

    private func register(_ call: Call) async throws -> Answer {
        guard call.credential != nil else { throw Refusal(401, "API key required") }
        let provisioning: Token
        switch try await principal(call) {
        case .provisioning(let token): provisioning = token
        case .token(let token, let scope) where scope == .admin: provisioning = token
        default: throw Refusal(403, "this credential does not register devices")
        }
        let registration = try Registration(try await call.object())
        let fleet = fleet
        let device: FleetDevice
        do {
            device = try await fleet.registry.write { transaction in
                try registration.perform(by: provisioning, in: transaction)
            }
        } catch let error as SQLError where error.isConflict {
            throw Refusal(Answer(409, text: "\"uuid\" must be unique."))
        }
        fleet.events.changed(device: device)
        return Answer(
            201,
            ["id": .integer(device.id), "uuid": .string(device.uuid), "api_key": .string(registration.key)]
        )
    }

    private func exchangeKey(_ call: Call, device text: String) async throws -> Answer {
        guard case .provisioning(let token) = try await principal(call) else {
            throw Refusal(403, "the key of a device is exchanged with a provisioning token")
        }
        let bytes = try await call.body(limit: 64 << 10)
        let key: String
        if bytes.isEmpty {
            key = Secret.hex(bytes: 16)
        } else {
            key = try Registration.deviceKey((try? JSONValue(parsing: bytes))?["apiKey"]) ?? Secret.hex(bytes: 16)
        }
        try await fleet.registry.write { transaction in
            guard let id = Int64(text), let device = try transaction.device(id: id), !device.revoked,
                token.covers(application: device.application)
            else { throw Refusal(404, "there is no such device") }
            guard !device.keyUsed || device.resetUntil > RegistryTransaction.now else {
                throw Refusal(403, "the device has used its key; an operator can allow another one with reset-key")
            }
            try transaction.setKey(device: device.id, hash: Secret.hash(key))
            try transaction.note(actor: "token:\(token.name)", action: "device-key", subject: device.uuid)
        }
        return Answer(200, .string(key))
    }

    // MARK: - The bus

    private func busCredentials(_ call: Call) async throws -> Answer {
        guard case .device(let device) = try await principal(call) else {
            throw Refusal(401, "only a device gets credentials of the bus")
        }
        let object = try await call.object()
        let issue = try await fleet.issueBusCredentials(to: device, key: object["nkey"]?.plainValue ?? "")
        return Answer(200, issue)
    }

    // MARK: - Target and reports

    private func target(_ call: Call, uuid: String, version: Int) async throws -> Answer {
        let principal: Principal
        do { principal = try await self.principal(call) } catch let refusal as Refusal
            where refusal.answer.status == 401
        {
            return Answer(401)
        }
        let registry = fleet.registry
        let found = try await registry.read { transaction -> (FleetDevice, TargetState)? in
            guard let device = try transaction.device(uuid: uuid) else { return nil }
            return (device, try TargetState(of: device, in: transaction))
        }
        switch principal {
        case .device(let own):
            guard own.uuid == uuid, let found else { return Answer(own.uuid == uuid ? 304 : 401) }
            fleet.reports.notePoll(of: found.0)
        case .token(let token, _):
            guard let found else { return Answer(304) }
            guard token.covers(application: found.0.application) else { return Answer(304) }
        case .provisioning:
            return Answer(401)
        }
        guard let found else { return Answer(304) }
        let body = (version == 2 ? found.1.version2 : found.1.version3).encoded()
        let tag = "W/\"\(Secret.hash(body).prefix(32))\""
        if let known = call.request.headers[.ifNoneMatch],
            known == "*" || known.split(separator: ",").contains(where: { Self.opaque($0) == Self.opaque(tag[...]) })
        {
            return Answer(304).with(.eTag, tag)
        }
        return Answer(200, "application/json; charset=utf-8", body).with(.eTag, tag)
    }

    /// A tag as the weak comparison looks at it.
    private static func opaque(_ tag: Substring) -> [UInt8] {
        let bytes = tag.utf8.drop { $0 == UInt8(ascii: " ") }
        return Array(bytes.starts(with: "W/".utf8) ? bytes.dropFirst(2) : bytes)
    }

    private func reportV2(_ call: Call, uuid: String) async throws -> Answer {
        guard case .device(let device) = try await statePrincipal(call), device.uuid == uuid else { return Answer(401) }
        let object = try await call.object(limit: 256 << 10)
        guard case .object(let local)? = object["local"] else {
            throw Refusal(400, "the report must be an object with the member local")
        }
        try await fleet.reports.add(local, of: device)
        return Answer(200)
    }

    private func reportV3(_ call: Call) async throws -> Answer {
        guard case .device(let device) = try await statePrincipal(call) else { return Answer(401) }
        let object = try await call.object(limit: 256 << 10)
        // A device reports on itself only; with any other uuid the whole request is refused.
        guard object.count == 1, case .object(let report)? = object[device.uuid] else { return Answer(401) }
        try await fleet.reports.add(report, of: device)
        return Answer(200)
    }

    private func statePrincipal(_ call: Call) async throws -> Principal {
        do { return try await principal(call) } catch let refusal as Refusal where refusal.answer.status == 401 {
            throw Refusal(Answer(401))
        }
    }
}
