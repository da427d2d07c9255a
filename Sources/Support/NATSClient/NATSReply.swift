public import NIOCore

/// What a request receives.
public struct NATSReply: Sendable {
    public var headers: NATSHeaders
    public var payload: ByteBuffer

    public init(headers: NATSHeaders = NATSHeaders(), payload: ByteBuffer) {
        self.headers = headers
        self.payload = payload
    }
}
