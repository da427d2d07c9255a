public import JSON

/// Something that a provider reports by itself.
public enum HostEvent: Sendable, Hashable {
    /// A handshake with a plugin that provides these operations is through: what a user chose is to be applied again.
    case ready(operations: [String])
    /// The last provider of these operations is gone.
    case gone(operations: [String])
    case notification(method: String, parameters: JSONObject)
    /// A plugin is in another state now, in the words of `superctl plugins`; with the reason where it has one.
    case state(plugin: String, String, reason: String?)
}
