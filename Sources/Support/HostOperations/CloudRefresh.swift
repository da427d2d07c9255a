public import JSON

/// cloud.refresh: asks the remote service for the target now. Replies when the service has answered.
public enum CloudRefresh: HostOperation {
    public static let name = "cloud.refresh"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload

    /// The notification, without params, that the service has handed over another target.
    public static let targetChangedNotification = "cloud.target-changed"

    public struct Reply: PluginPayload, Hashable {
        /// Whether there is another target than before.
        public var isChanged: Bool

        public init(isChanged: Bool) {
            self.isChanged = isChanged
        }

        public init(json: JSONObject) throws(PluginError) {
            isChanged = try json.bool("changed")
        }

        public var json: JSONObject { ["changed": .bool(isChanged)] }
    }
}
