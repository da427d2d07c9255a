public import JSON

/// What the uplink says of itself: `uplink.status`, and the params of `uplink.changed`.
public struct UplinkState: PluginPayload, Hashable {
    /// The notification that the uplink sends when its state changes.
    public static let changedNotification = "uplink.changed"

    /// Such as "https://api.example.com"; nil where none is configured.
    public var server: String?
    /// Whether the service knows the device, and this is its device key's server.
    public var isRegistered: Bool
    /// Whether an operator has disconnected the device from the service.
    public var isDisconnected: Bool
    /// Whether commands can arrive.
    public var isConnected: Bool
    /// When `isConnected` last changed, in seconds since 1970; nil while it never has.
    public var since: Int64?
    /// The device's uuid, as the service knows it.
    public var uuid: String?
    /// The number that the service has given the device.
    public var deviceID: Int64?
    /// What went wrong last; nil while nothing is wrong.
    public var error: String?

    public init(server: String?, isRegistered: Bool, isConnected: Bool) {
        self.server = server
        self.isRegistered = isRegistered
        self.isConnected = isConnected
        isDisconnected = false
    }

    public init(json: JSONObject) throws(PluginError) {
        server = json["server"]?.stringValue
        isRegistered = try json.bool("registered")
        isConnected = try json.bool("connected")
        isDisconnected = json["disconnected"]?.boolValue ?? false
        since = json["since"]?.integerValue
        uuid = json["uuid"]?.plainValue
        deviceID = json["deviceId"]?.integerValue
        error = json["error"]?.stringValue
    }

    public var json: JSONObject {
        [
            "registered": .bool(isRegistered),
            "connected": .bool(isConnected),
            "server": server.map(JSONValue.string) ?? .null,
            "since": since.map(JSONValue.integer) ?? .null,
            "disconnected": .bool(isDisconnected),
            "uuid": uuid.map(JSONValue.string) ?? .null,
            "deviceId": deviceID.map(JSONValue.integer) ?? .null,
            "error": error.map(JSONValue.string) ?? .null,
        ]
    }
}
