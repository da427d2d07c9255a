import JSON

/// The body of `POST /device/register`.
struct Registration: Sendable {
    var application: Int64
    var uuid: String
    var deviceType: String
    /// The device key.
    var key: String
    var name: String
    var supervisorVersion: String
    var osVersion: String
    var osVariant: String
    var macAddress: String

    init(_ body: JSONObject) throws(Refusal) {
        func text(_ name: String, limit: Int) throws(Refusal) -> String {
            switch body[name] {
            case nil, .null: return ""
            case .string(let value) where !value.utf8.contains(0): return value.cut(toBytes: limit)
            default: throw Refusal(400, "\(name) must be a string")
            }
        }
        switch body["application"] {
        case .string(let digits): application = Int64(digits) ?? -1
        case let value: application = value?.integerValue ?? -1
        }
        guard application >= 0 else { throw Refusal(400, "application must be the number of an application") }
        deviceType = try text("device_type", limit: 128)
        guard !deviceType.isEmpty else { throw Refusal(400, "device_type must be given") }
        guard let given = body["uuid"]?.plainValue, FleetDevice.isUUID(given) else {
            throw Refusal(400, "uuid must be 32 or 62 lower-case hexadecimal digits")
        }
        uuid = given
        key = try Self.deviceKey(body["api_key"]) ?? Secret.hex(bytes: 16)
        let givenName = try text("device_name", limit: 255)
        name = givenName.isEmpty ? String(given.prefix(7)) : givenName
        supervisorVersion = try text("supervisor_version", limit: 20)
        osVersion = try text("os_version", limit: 70)
        osVariant = try text("os_variant", limit: 70)
        macAddress = try text("mac_address", limit: 900)
    }

    /// A device key that a request brings; nil where it brings none.
    static func deviceKey(_ value: JSONValue?) throws(Refusal) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let key = value.plainValue, (16...255).contains(key.utf8.count), !key.utf8.contains(0x20) else {
            throw Refusal(400, "the key of a device must be 16 to 255 printable ASCII characters without blanks")
        }
        return key
    }

    /// Puts the device into the registry. A uuid that is taken is a conflict (`SQLError.isConflict`).
    func perform(by token: Token, in transaction: RegistryTransaction) throws -> FleetDevice {
        guard token.covers(application: application), try transaction.application(id: application) != nil else {
            throw Refusal(403, "the token does not register devices of this application")
        }
        if try transaction.device(uuid: uuid) != nil { throw SQLError(message: "the uuid is taken", isConflict: true) }
        if token.kind == .provisioning {
            guard try transaction.useProvisioning(token: token.id) else {
                throw Refusal(403, "the provisioning token has registered all devices that it may")
            }
        }
        let device = FleetDevice(
            id: try transaction.nextIdentifier(of: "device"),
            uuid: uuid,
            application: application,
            name: name,
            deviceType: deviceType,
            keyHash: Secret.hash(key),
            keyUsed: false,
            resetUntil: 0,
            supervisorVersion: supervisorVersion,
            osVersion: osVersion,
            osVariant: osVariant,
            macAddress: macAddress,
            ipAddress: "",
            status: "",
            created: RegistryTransaction.now,
            revoked: false
        )
        try transaction.insert(device)
        try transaction.note(
            actor: "token:\(token.name)",
            action: "register",
            subject: uuid,
            detail: "application \(application)"
        )
        return device
    }
}
