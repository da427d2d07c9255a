public import JSON

/// power.status: whether a reboot or a power-off is under way, and what the host would refuse one for.
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
        /// Who keeps the host from a reboot or a power-off, and why; nil if no one does or it is not known.
        public var inhibited: String?

        public init(preparing: Preparing, inhibited: String? = nil) {
            self.preparing = preparing
            self.inhibited = inhibited
        }

        public init(json: JSONObject) throws(PluginError) {
            guard let preparing = Preparing(rawValue: try json.plainString("preparing")) else {
                throw PluginError(.invalidArgument, "preparing must be none, reboot or power-off")
            }
            self.preparing = preparing
            switch json["inhibited"] {
            case nil, .null?: inhibited = nil
            case .string(let text)?: inhibited = text.isEmpty ? nil : text
            default: throw PluginError(.invalidArgument, "inhibited must be a string")
            }
        }

        public var json: JSONObject {
            var json: JSONObject = ["preparing": .string(preparing.rawValue)]
            if let inhibited { json["inhibited"] = .string(inhibited) }
            return json
        }
    }
}
