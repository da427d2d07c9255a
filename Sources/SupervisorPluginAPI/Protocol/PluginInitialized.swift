public import HostOperations
public import JSON

/// plugin.initialized: whether the core accepts the handshake, a notification. The connection closes if it does not.
public struct PluginInitialized: PluginPayload, Hashable {
    public static let name = "plugin.initialized"

    public var isAccepted: Bool
    /// Why not.
    public var reason: String?

    public init(isAccepted: Bool, reason: String? = nil) {
        self.isAccepted = isAccepted
        self.reason = reason
    }

    public init(json: JSONObject) throws(PluginError) {
        isAccepted = try json.bool("accepted")
        reason = json["reason"]?.stringValue
    }

    public var json: JSONObject {
        var json: JSONObject = ["accepted": .bool(isAccepted)]
        if let reason { json["reason"] = .string(reason) }
        return json
    }
}
