import Foundation
import HTTPTypes
import Hummingbird
import JSON

/// `/api/v1/…`: applications, releases, devices, tokens, audit and events.
extension FleetService {
    func resourceRoute(_ call: Call) async throws -> Answer {
        let parts = Array(call.parts.dropFirst(2))
        guard call.parts.count >= 3, call.parts[1] == "v1" else { throw Refusal.notFound }
        switch parts[0] {
        case "applications": return try await applicationRoute(call, Array(parts.dropFirst()))
        case "devices": return try await deviceResource(call, Array(parts.dropFirst()))
        case "tokens": return try await tokenRoute(call, Array(parts.dropFirst()))
        case "events" where parts.count == 1:
            guard call.method == "GET" else { throw Refusal.methodNotAllowed("GET") }
            return try await events(call)
        case "audit" where parts.count == 1:
            guard call.method == "GET" else { throw Refusal.methodNotAllowed("GET") }
            return try await audit(call)
        case "whoami" where parts.count == 1:
            let (token, scope) = try await token(call, atLeast: .read)
            return Answer(200, Self.shown(token, scope.rawValue))
        default: throw Refusal.notFound
        }
    }

    // MARK: - Applications

    private func applicationRoute(_ call: Call, _ parts: [String]) async throws -> Answer {
        switch (call.method, parts.count) {
        case ("GET", 0):
            let (token, _) = try await token(call, atLeast: .read)
            let page = try Page(call)
            let items = try await fleet.registry.read { transaction in
                try transaction.applications(after: page.after, limit: 10_000).filter {
                    token.covers(application: $0.id)
                }
            }
            return page.answer(items, Self.shown) { String($0.id) }
        case ("POST", 0):
            let (token, _) = try await token(call, atLeast: .admin)
            guard token.applications == nil else { throw Refusal(403, "the token is for some applications only") }
            let body = try await call.object()
            guard let name = body["name"]?.plainValue, Self.isApplicationName(name) else {
                throw Refusal(400, "name must be 1 to 64 letters, digits, '_' and '-', a letter or digit first")
            }
            let type = body["deviceType"]?.plainValue ?? "generic"
            do {
                let application = try await fleet.registry.write { transaction in
                    let made = try transaction.createApplication(name: name, deviceType: type)
                    try transaction.note(actor: "token:\(token.name)", action: "application", subject: name)
                    return made
                }
                return Answer(201, Self.shown(application))
            } catch let error as SQLError where error.isConflict {
                throw Refusal(409, "there is an application of this name")
            }
        case (_, 0): throw Refusal.methodNotAllowed("GET, POST")
        case ("GET", 1):
            let (token, _) = try await token(call, atLeast: .read)
            return Answer(200, Self.shown(try await application(parts[0], token)))
        case (_, 1): throw Refusal.methodNotAllowed("GET")
        case (let method, 2) where parts[1] == "target":
            guard method == "PUT" else { throw Refusal.methodNotAllowed("PUT") }
            return try await putTarget(call, parts[0])
        case (let method, 2) where parts[1] == "provisioning-tokens":
            guard method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            return try await createProvisioning(call, parts[0])
        case (let method, 2) where parts[1] == "releases":
            guard method == "GET" else { throw Refusal.methodNotAllowed("GET") }
            let (token, _) = try await token(call, atLeast: .read)
            let application = try await application(parts[0], token)
            let page = try Page(call)
            let items = try await fleet.registry.read { transaction in
                try transaction.releases(
                    application: application.id,
                    before: page.after == 0 ? Int64.max : page.after,
                    limit: Int64(page.limit) + 1
                )
            }
            return page.answer(items, { Self.shown($0, application) }) { String($0.id) }
        case (let method, 4) where parts[1] == "releases" && parts[3] == "activate":
            guard method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            return try await activate(call, parts[0], commit: parts[2])
        default: throw Refusal.notFound
        }
    }

    /// An application by number or name that the token may see; else 404.
    private func application(_ key: String, _ token: Token) async throws -> FleetApplication {
        let found = try await fleet.registry.read { transaction in
            if let id = Int64(key) { return try transaction.application(id: id) }
            return try transaction.application(named: key)
        }
        guard let found, token.covers(application: found.id) else { throw Refusal(404, "there is no such application") }
        return found
    }

    private func putTarget(_ call: Call, _ key: String) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .deploy)
        let application = try await application(key, token)
        let target = try ReleaseTarget(.object(try await call.object(limit: Self.bodyLimit)))
        let mustActivate = call.parameters["activate"] != "no"
        let actor = "token:\(token.name)"
        let (release, isNew) = try await fleet.registry.write { transaction in
            let result = try transaction.addRelease(
                application: application.id,
                commit: target.commit,
                target: target.text,
                actor: actor
            )
            if mustActivate { try transaction.activate(application: application.id, commit: target.commit) }
            try transaction.note(
                actor: actor,
                action: mustActivate ? "deploy" : "release",
                subject: application.name,
                detail: target.commit
            )
            return result
        }
        if mustActivate { try await poke(application: application.id) }
        var active = application
        if mustActivate { active.activeCommit = target.commit }
        return Answer(isNew ? 201 : 200, Self.shown(release, active))
    }

    private func activate(_ call: Call, _ key: String, commit: String) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .deploy)
        var application = try await application(key, token)
        let id = application.id
        let release = try await fleet.registry.write { transaction in
            guard let release = try transaction.release(application: id, commit: commit) else {
                throw Refusal(404, "the application has no such release")
            }
            try transaction.activate(application: id, commit: commit)
            try transaction.note(actor: "token:\(token.name)", action: "activate", subject: "\(id)", detail: commit)
            return release
        }
        application.activeCommit = commit
        try await poke(application: id)
        return Answer(200, Self.shown(release, application))
    }

    /// Has the devices of an application poll; those that are not there poll by themselves later.
    private func poke(application: Int64) async throws {
        guard let bus = fleet.bus else { return }
        let devices = try await fleet.registry.read { transaction in
            try transaction.devices(application: application, limit: 1_000_000).map(\.uuid)
        }
        for uuid in devices { await bus.poke(uuid) }
    }

    // MARK: - Tokens

    private func createProvisioning(_ call: Call, _ key: String) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .admin)
        let application = try await application(key, token)
        let bytes = try await call.body(limit: 64 << 10)
        let body = bytes.isEmpty ? nil : (try? JSONValue(parsing: bytes))?.objectValue
        let days = body?["days"]?.integerValue ?? 30
        let devices = body?["devices"]?.integerValue ?? 1000
        guard (1...3650).contains(days), (1...1_000_000).contains(devices) else {
            throw Refusal(400, "days must be 1 to 3650, devices 1 to 1000000")
        }
        let name = "provisioning \(application.name)"
        let (made, secret) = try await fleet.registry.write { transaction in
            try transaction.note(actor: "token:\(token.name)", action: "provisioning-token", subject: application.name)
            return try transaction.createToken(
                name: String(name.prefix(64)),
                kind: .provisioning,
                applications: [application.id],
                expires: RegistryTransaction.now + days * 86_400_000,
                remaining: devices
            )
        }
        return Answer(201, Self.shown(made, "provisioning", secret: secret))
    }

    private func tokenRoute(_ call: Call, _ parts: [String]) async throws -> Answer {
        let (own, ownScope) = try await token(call, atLeast: .admin)
        switch (call.method, parts.count) {
        case ("GET", 0):
            let page = try Page(call)
            let items = try await fleet.registry.read { transaction in
                try transaction.tokens(after: page.after, limit: Int64(page.limit) + 1)
            }
            let visible = items.filter { Self.mayManage(own, $0) }
            return page.answer(visible, { Self.shown($0, Self.scopeName($0)) }) { String($0.id) }
        case ("POST", 0):
            let body = try await call.object()
            guard let name = body["name"]?.plainValue, Token.isName(name) else {
                throw Refusal(400, "name must be 1 to 64 characters of A-Z a-z 0-9 space . _ @ -")
            }
            guard let scope = body["scope"]?.plainValue.flatMap(Scope.init(rawValue:)) else {
                throw Refusal(400, "scope must be read, operate, deploy or admin")
            }
            let days = body["days"]?.integerValue ?? 90
            guard (1...3650).contains(days) else { throw Refusal(400, "days must be 1 to 3650") }
            var applications: [Int64]?
            if let list = body["applications"], !list.isNull {
                guard let numbers = list.arrayValue?.compactMap(\.integerValue),
                    numbers.count == list.arrayValue?.count,
                    !numbers.isEmpty, numbers.count <= 1000
                else { throw Refusal(400, "applications must be a list of numbers of applications") }
                applications = numbers
            }
            // No token makes one that may do more than itself.
            guard scope <= ownScope, own.applications == nil || applications?.allSatisfy(own.covers) == true else {
                throw Refusal(403, "a token cannot make one that may do more than itself")
            }
            let (made, secret) = try await fleet.registry.write { [applications] transaction in
                try transaction.note(actor: "token:\(own.name)", action: "token", subject: name, detail: scope.rawValue)
                return try transaction.createToken(
                    name: name,
                    kind: .access(scope),
                    applications: applications,
                    expires: RegistryTransaction.now + days * 86_400_000
                )
            }
            return Answer(201, Self.shown(made, scope.rawValue, secret: secret))
        case (_, 0): throw Refusal.methodNotAllowed("GET, POST")
        case ("DELETE", 1):
            try await fleet.registry.write { transaction in
                guard let id = Int64(parts[0]), let token = try transaction.token(id: id), Self.mayManage(own, token)
                else {
                    throw Refusal(404, "there is no such token")
                }
                try transaction.revokeToken(id: id)
                try transaction.note(actor: "token:\(own.name)", action: "revoke token", subject: token.name)
            }
            return Answer(204)
        case (_, 1): throw Refusal.methodNotAllowed("DELETE")
        default: throw Refusal.notFound
        }
    }

    private static func mayManage(_ own: Token, _ other: Token) -> Bool {
        own.applications == nil || other.applications?.allSatisfy(own.covers) == true
    }

    // MARK: - Audit and events

    private func audit(_ call: Call) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .admin)
        guard token.applications == nil else { throw Refusal(403, "the token is for some applications only") }
        let page = try Page(call)
        let items = try await fleet.registry.read { transaction in
            try transaction.audit(before: page.after == 0 ? Int64.max : page.after, limit: Int64(page.limit) + 1)
        }
        return page.answer(items, Self.shown) { String($0.id) }
    }

    static func isApplicationName(_ text: String) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        return (1...64).contains(text.utf8.count) && text.utf8.first.map(isLetterOrDigit) == true
            && Int64(text) == nil && text.utf8.allSatisfy { isLetterOrDigit($0) || "_-".utf8.contains($0) }
    }
}
