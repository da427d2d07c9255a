import Foundation
import JSON

/// The JSON shapes of resources.
extension FleetService {
    /// RFC 3339, UTC, with milliseconds.
    static func time(_ milliseconds: Int64?) -> JSONValue {
        guard let milliseconds else { return .null }
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        return .string(
            date.formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted)
            )
        )
    }

    static func shown(_ application: FleetApplication) -> JSONValue {
        [
            "id": .integer(application.id), "name": .string(application.name), "uuid": .string(application.uuid),
            "deviceType": .string(application.deviceType),
            "activeRelease": application.activeCommit.map { .string($0) } ?? .null,
            "created": time(application.created),
        ]
    }

    static func shown(_ release: Release, _ application: FleetApplication) -> JSONValue {
        [
            "id": .integer(release.id), "application": .integer(release.application),
            "commit": .string(release.commit), "active": .bool(application.activeCommit == release.commit),
            "created": time(release.created), "actor": .string(release.actor),
        ]
    }

    static func shown(_ entry: AuditEntry) -> JSONValue {
        [
            "id": .integer(entry.id), "at": time(entry.at), "actor": .string(entry.actor),
            "action": .string(entry.action), "subject": .string(entry.subject), "detail": .string(entry.detail),
        ]
    }

    static func scopeName(_ token: Token) -> String {
        switch token.kind {
        case .access(let scope): scope.rawValue
        case .provisioning: "provisioning"
        }
    }

    /// `secret` is shown once, when the token is made.
    static func shown(_ token: Token, _ scope: String, secret: String? = nil) -> JSONValue {
        var object: JSONObject = ["id": .integer(token.id), "name": .string(token.name), "scope": .string(scope)]
        object["applications"] = token.applications.map { .array($0.map { .integer($0) }) } ?? .null
        if let remaining = token.remaining { object["devicesLeft"] = .integer(remaining) }
        object["created"] = time(token.created)
        object["expires"] = time(token.expires)
        object["lastUsed"] = time(token.lastUsed)
        object["revoked"] = .bool(token.revoked)
        if let secret { object["token"] = .string(secret) }
        return .object(object)
    }

    func shown(_ device: FleetDevice) -> JSONValue {
        let presence = fleet.presence.entry(of: device.uuid)
        return [
            "id": .integer(device.id), "uuid": .string(device.uuid), "name": .string(device.name),
            "application": .integer(device.application), "deviceType": .string(device.deviceType),
            "connected": .bool(presence?.isConnected ?? false), "connectedChanged": Self.time(presence?.since),
            "status": .string(device.status), "supervisorVersion": .string(device.supervisorVersion),
            "osVersion": .string(device.osVersion), "osVariant": .string(device.osVariant),
            "ipAddress": .string(device.ipAddress), "macAddress": .string(device.macAddress),
            "runningRelease": device.runningCommit.map { .string($0) } ?? .null,
            "pinnedRelease": device.pinnedCommit.map { .string($0) } ?? .null,
            "created": Self.time(device.created), "lastPoll": Self.time(device.lastPoll),
            "lastReport": Self.time(device.lastReport), "revoked": .bool(device.revoked),
            "keyResetUntil": device.resetUntil > RegistryTransaction.now ? Self.time(device.resetUntil) : .null,
        ]
    }
}
