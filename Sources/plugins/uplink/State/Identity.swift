import Glibc
import JSON
import LinuxSupport

/// Who the device is for the service. Written before it is used, so that a key that the service knows is never lost.
struct Identity: Sendable, Hashable {
    /// The origin that the device key is for.
    var server: String
    var uuid: String
    /// The secret of the device, 32 hexadecimal digits.
    var deviceKey: String
    /// What the service calls the device; nil until it is registered.
    var deviceID: Int64?
    /// An operator has disconnected the device.
    var isDisconnected = false

    var isRegistered: Bool { deviceID != nil }

    /// A new one, with a key of its own.
    init(server: String, uuid: String) {
        self.server = server
        self.uuid = uuid
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        deviceKey = String(
            decoding: (0..<32).map { _ in digits[Int.random(in: 0..<16, using: &generator)] },
            as: UTF8.self
        )
    }

    /// nil where the text is none of ours.
    init?(json: JSONValue) {
        guard json["version"]?.integerValue == 1, let server = json["server"]?.plainValue,
            let uuid = json["uuid"]?.plainValue, Self.isUUID(uuid),
            let key = json["deviceKey"]?.plainValue, !key.isEmpty
        else { return nil }
        self.server = server
        self.uuid = uuid
        deviceKey = key
        deviceID = json["deviceId"]?.integerValue
        isDisconnected = json["disconnected"]?.boolValue ?? false
    }

    var json: JSONValue {
        [
            "version": 1, "server": .string(server), "uuid": .string(uuid), "deviceKey": .string(deviceKey),
            "deviceId": deviceID.map(JSONValue.integer) ?? .null, "disconnected": .bool(isDisconnected),
        ]
    }

    /// It becomes part of subjects of the bus.
    static func isUUID(_ text: String) -> Bool {
        [32, 62].contains(text.utf8.count) && text.utf8.allSatisfy(\.isLowercaseHexDigit)
    }
}
