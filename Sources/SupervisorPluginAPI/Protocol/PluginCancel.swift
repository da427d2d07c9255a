public import HostOperations
public import JSON

/// plugin.cancel: the core no longer waits for a call, a notification. The call is answered all the same, once.
public struct PluginCancel: PluginPayload, Hashable {
    public static let name = "plugin.cancel"

    public var id: RequestID

    public init(id: RequestID) {
        self.id = id
    }

    public init(json: JSONObject) throws(PluginError) {
        guard let id = json["id"].flatMap(RequestID.init) else {
            throw PluginError(
                .invalidArgument,
                "id is neither a number nor a string of at most \(RequestID.limit) bytes"
            )
        }
        self.id = id
    }

    public var json: JSONObject { ["id": id.json] }
}
