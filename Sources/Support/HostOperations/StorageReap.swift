public import JSON

/// storage.reap: removes every `.purge-*` and `.stale-*` that the core has left in the data and lock directories. Answered
/// when all are gone.
public enum StorageReap: HostOperation {
    public static let name = "storage.reap"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload

    public struct Reply: PluginPayload, Hashable {
        /// Files and directories.
        public var removed: Int64

        public init(removed: Int64) {
            self.removed = removed
        }

        public init(json: JSONObject) throws(PluginError) {
            removed = try json.integer("removed", in: 0...(.max))
        }

        public var json: JSONObject { ["removed": .integer(removed)] }
    }
}
