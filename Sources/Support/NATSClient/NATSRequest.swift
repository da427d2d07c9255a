public import NIOCore

/// A message that wants an answer.
public struct NATSRequest: Sendable {
    public var subject: String
    public var headers: NATSHeaders
    public var payload: ByteBuffer

    public init(_ subject: String, headers: NATSHeaders = NATSHeaders(), payload: ByteBuffer) {
        self.subject = subject
        self.headers = headers
        self.payload = payload
    }
}
