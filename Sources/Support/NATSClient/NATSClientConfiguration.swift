public import NIOCore
public import NIOSSL

/// How a client connects, and its bounds.
public struct NATSClientConfiguration: Sendable {
    /// Shown by the server; it proves nothing.
    public var name: String
    /// Needed for tls:// and wss://, and for a server that demands TLS.
    public var tls: NIOSSLContext?
    /// The name that the certificate has to have; nil for the host of the server's address.
    public var tlsName: String?
    /// From the begin of an attempt to the end of the login, once the credentials are there.
    public var loginDeadline: TimeAmount = .seconds(20)
    /// The wait after the first failure. It doubles with each further one; half of each is random.
    public var firstBackOff: TimeAmount = .milliseconds(200)
    public var longestBackOff: TimeAmount = .seconds(30)
    /// After this silence of the server the client sends a PING. It stays away where the server does so itself.
    public var pingAfter: TimeAmount = .seconds(45)
    /// After this silence the connection counts as dead.
    public var staleAfter: TimeAmount = .seconds(65)
    /// Bytes of headers and payload that a message may have.
    public var incomingLimit = 1 << 20
    /// Bytes that may be written and not yet taken by the kernel.
    public var outgoingLimit = 8 << 20
    /// Whether the client makes requests. A device does not, and may not subscribe to an inbox.
    public var makesRequests = true

    public init(name: String) {
        self.name = name
    }
}
