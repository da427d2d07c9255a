public import HostOperations
public import JSON

/// plugin.ping: whether the plugin could do its work now. Answered at once, also during long calls.
public enum PluginPing: HostOperation {
    public static let name = "plugin.ping"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload

    public struct Reply: PluginPayload, Hashable {
        public var isReady: Bool
        /// Why not, one line.
        public var reason: String?

        public init(isReady: Bool, reason: String? = nil) {
            self.isReady = isReady
            self.reason = reason
        }

        public init(json: JSONObject) throws(PluginError) {
            isReady = try json.bool("ready")
            reason = json["reason"]?.stringValue
        }

        public var json: JSONObject {
            var json: JSONObject = ["ready": .bool(isReady)]
            if let reason { json["reason"] = .string(reason) }
            return json
        }
    }
}
