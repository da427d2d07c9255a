public import JSON

/// power.status: whether a reboot or a power-off is under way.
public enum PowerStatus: HostOperation {
    public static let name = "power.status"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload

    public struct Reply: PluginPayload, Hashable {
        public enum Preparing: String, Sendable, Hashable {
            case none
            case reboot
            case powerOff = "power-off"
        }

        public var preparing: Preparing

        public init(preparing: Preparing) {
            self.preparing = preparing
        }

        public init(json: JSONObject) throws(PluginError) {
            guard let preparing = Preparing(rawValue: try json.plainString("preparing")) else {
                throw PluginError(.invalidArgument, "preparing must be none, reboot or power-off")
            }
            self.preparing = preparing
        }

        public var json: JSONObject { ["preparing": .string(preparing.rawValue)] }
    }
}
