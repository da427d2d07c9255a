import Foundation
import HTTPTypes
import Hummingbird
import JSON

/// `/api/v1/devices`
extension FleetService {
    func deviceResource(_ call: Call, _ parts: [String]) async throws -> Answer {
        switch (call.method, parts.count) {
        case ("GET", 0): return try await list(call)
        case (_, 0): throw Refusal.methodNotAllowed("GET")
        case ("GET", 1):
            let (token, _) = try await token(call, atLeast: .read)
            let device = try await device(parts[0], token)
            let registry = fleet.registry
            let report = try await registry.read { try $0.report(uuid: device.uuid) }
            guard case .object(var object) = shown(device) else { throw Refusal.notFound }
            object["report"] = report.flatMap { try? JSONValue(parsing: $0) } ?? .null
            let bytes = JSONValue.object(object).encoded()
            let tag = "\"\(Secret.hash(bytes).prefix(32))\""
            if call.request.headers[.ifNoneMatch] == tag { return Answer(304).with(.eTag, tag) }
            return Answer(200, "application/json; charset=utf-8", bytes).with(.eTag, tag)
        case ("PATCH", 1): return try await change(call, parts[0])
        case (_, 1): throw Refusal.methodNotAllowed("GET, PATCH")
        case ("POST", 2) where parts[1] == "reset-key":
            let (token, _) = try await token(call, atLeast: .admin)
            let device = try await device(parts[0], token)
            let until = RegistryTransaction.now + 3_600_000
            try await fleet.registry.write { transaction in
                try transaction.allowKeyReset(device: device.id, until: until)
                try transaction.note(actor: "token:\(token.name)", action: "reset-key", subject: device.uuid)
            }
            return Answer(200, ["keyResetUntil": Self.time(until)])
        case ("POST", 2) where parts[1] == "revoke": return try await revoke(call, parts[0])
        case ("POST", 2) where parts[1] == "poke":
            let (token, _) = try await token(call, atLeast: .operate)
            let device = try await device(parts[0], token)
            await fleet.bus?.poke(device.uuid)
            return Answer(202)
        case (_, 2) where ["reset-key", "revoke", "poke"].contains(parts[1]): throw Refusal.methodNotAllowed("POST")
        default: throw Refusal.notFound
        }
    }

    /// A device by uuid or number that the token may see; else 404.
    private func device(_ key: String, _ token: Token) async throws -> FleetDevice {
        let found = try await fleet.registry.read { transaction in
            if FleetDevice.isUUID(key) { return try transaction.device(uuid: key) }
            return try Int64(key).flatMap { try transaction.device(id: $0) }
        }
        guard let found, token.covers(application: found.application) else {
            throw Refusal(404, "there is no such device")
        }
        return found
    }

    /// `?application=`, `?search=` (the beginning of the name; needs an application), `?limit=`, `?cursor=`.
    private func list(_ call: Call) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .read)
        let page = try Page(call)
        let parameters = call.parameters
        var application: Int64?
        if let text = parameters["application"] {
            guard let id = Int64(text) else { throw Refusal(400, "application must be the number of an application") }
            guard token.covers(application: id) else { return page.answer([FleetDevice](), shown) { _ in "" } }
            application = id
        }
        let search = parameters["search"]?.lowercased()
        if let search {
            guard application != nil else { throw Refusal(400, "search needs application") }
            guard search.utf8.count <= 255 else { throw Refusal(400, "search is longer than 255 bytes") }
        }
        let limit = Int64(page.limit) + 1
        let items = try await fleet.registry.read { [application] transaction -> [FleetDevice] in
            if let application, let search {
                let start = try page.after == 0 ? nil : transaction.device(id: page.after)
                return try transaction.devices(
                    application: application,
                    prefix: search,
                    after: start?.name.lowercased() ?? "",
                    id: start?.id ?? 0,
                    limit: limit
                )
            }
            if application != nil || token.applications == nil {
                return try transaction.devices(application: application, after: page.after, limit: limit)
            }
            var all: [FleetDevice] = []
            for id in token.applications ?? [] {
                all += try transaction.devices(application: id, after: page.after, limit: limit)
            }
            return Array(all.sorted { $0.id < $1.id }.prefix(Int(limit)))
        }
        return page.answer(items, shown) { String($0.id) }
    }

    /// A merge patch: `name` (operate), `pinnedRelease` (deploy; null unpins).
    private func change(_ call: Call, _ key: String) async throws -> Answer {
        let (token, scope) = try await token(call, atLeast: .operate)
        let device = try await device(key, token)
        let body = try await call.object()
        for name in body.names where !["name", "pinnedRelease"].contains(name) {
            throw Refusal(400, "\(name.cut(toBytes: 64)) cannot be changed; name and pinnedRelease can")
        }
        let pin = body["pinnedRelease"]
        guard pin == nil || scope >= .deploy else {
            throw Refusal(403, "the token's scope is \(scope.rawValue); deploy is required to pin a release")
        }
        let name = body["name"]?.stringValue
        if body["name"] != nil {
            guard let name, (1...255).contains(name.utf8.count), !name.utf8.contains(where: { $0 < 0x20 }) else {
                throw Refusal(400, "name must be 1 to 255 bytes in one line")
            }
        }
        let changed = try await fleet.registry.write { transaction in
            if let name { try transaction.rename(device: device.id, to: name) }
            if let pin {
                let commit = pin.plainValue
                guard pin.isNull || commit != nil else { throw Refusal(400, "pinnedRelease must be a commit or null") }
                if let commit, try transaction.release(application: device.application, commit: commit) == nil {
                    throw Refusal(404, "the application has no such release")
                }
                try transaction.pin(device: device.id, to: commit)
            }
            try transaction.note(
                actor: "token:\(token.name)",
                action: "change device",
                subject: device.uuid,
                detail: body.names.joined(separator: ", ")
            )
            return try transaction.device(id: device.id)
        }
        guard let changed else { throw Refusal(404, "there is no such device") }
        await fleet.bus?.poke(changed.uuid)
        fleet.events.changed(device: changed)
        return Answer(200, shown(changed))
    }

    /// The registry first: from then on the device gets nothing new. Then its connections are closed.
    private func revoke(_ call: Call, _ key: String) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .admin)
        let device = try await device(key, token)
        try await fleet.registry.write { transaction in
            try transaction.setRevoked(device: device.id, true)
            // A login of this very second is meant, too.
            try transaction.revokeBusKeys(uuid: device.uuid, at: RegistryTransaction.now / 1000 + 1)
            try transaction.note(actor: "token:\(token.name)", action: "revoke device", subject: device.uuid)
        }
        try await fleet.publishRevocations()
        fleet.events.changed(device: device)
        return Answer(204)
    }
}
