public import JSON

/// `{"enabled":…,"connected":…}`: the state of the TCP heartbeat.
public struct TCPPingState: PluginPayload, Hashable {
    public var isEnabled: Bool
    /// The result of the last attempt, or that the VPN is up; nil while it is not known.
    public var isConnected: Bool?

    public init(isEnabled: Bool, isConnected: Bool?) {
        self.isEnabled = isEnabled
        self.isConnected = isConnected
    }

    public init(json: JSONObject) throws(PluginError) {
        isEnabled = try json.bool("enabled")
        isConnected = json["connected"]?.boolValue
    }

    public var json: JSONObject {
        ["enabled": .bool(isEnabled), "connected": isConnected.map(JSONValue.bool) ?? .null]
    }

    /// The notification that a plugin sends when the state changes; its params are the state.
    public static let changedNotification = "tcp-ping.changed"
}
