public import JSON

/// storage.lock-space: gives the lock directory of one application a file system of its own, so that what an application
/// leaves in it takes no room from the others. The core has made the directory, which is empty. Done already, it changes
/// nothing.
public enum StorageLockSpace: HostOperation {
    public static let name = "storage.lock-space"
    public static let isIdempotent = true
    public typealias Reply = EmptyPayload

    /// A container waits for it, and can start without.
    public static let timeLimit: Duration? = .seconds(10)

    public struct Parameters: PluginPayload, Hashable {
        public var appID: Int64

        public init(appID: Int64) {
            self.appID = appID
        }

        public init(json: JSONObject) throws(PluginError) {
            appID = try json.integer("appId", in: 1...(.max))
        }

        public var json: JSONObject { ["appId": .integer(appID)] }
    }
}
