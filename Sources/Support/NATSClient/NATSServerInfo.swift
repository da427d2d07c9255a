/// What a server says of itself.
public struct NATSServerInfo: Sendable, Hashable {
    public var serverID: String
    public var serverName: String
    public var version: String
    /// Bytes of headers and payload that the server takes in one message.
    public var maxPayload: Int
    var nonce: String?
    var requiresTLS: Bool
    var offersTLS: Bool
    var hasHeaders: Bool
    var isInLameDuckMode: Bool
}
