public import NIOCore

/// What a subscription receives.
public struct NATSMessage: Sendable {
    public var subject: String
    /// Where an answer goes.
    public var reply: String?
    public var headers: NATSHeaders
    public var payload: ByteBuffer
}
