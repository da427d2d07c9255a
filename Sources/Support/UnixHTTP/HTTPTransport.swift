public import NIOCore
public import NIOPosix

/// How a client reaches a server that is not on a unix socket, such as over TCP and TLS.
///
/// The caller brings name resolution and TLS, so that programs without a use for them do not contain them.
public struct HTTPTransport: Sendable {
    /// What errors call the server, such as "https://api.example.com".
    public var name: String
    /// The value of the Host header (RFC 9112, section 3.2).
    public var host: String
    /// Connects. The error is shown by `explain`.
    public var connect: @Sendable (ClientBootstrap) -> EventLoopFuture<any Channel>
    /// Adds to the pipeline what stands between the socket and HTTP. Called on the event loop.
    public var prepare: @Sendable (any Channel) throws -> Void
    /// What has gone wrong below HTTP, for people; nil where the client's own words do.
    public var explain: @Sendable (any Error) -> String?

    public init(
        name: String,
        host: String,
        connect: @escaping @Sendable (ClientBootstrap) -> EventLoopFuture<any Channel>,
        prepare: @escaping @Sendable (any Channel) throws -> Void,
        explain: @escaping @Sendable (any Error) -> String?
    ) {
        self.name = name
        self.host = host
        self.connect = connect
        self.prepare = prepare
        self.explain = explain
    }

    /// A unix socket.
    static func unixSocket(_ path: String) -> HTTPTransport {
        HTTPTransport(
            name: path,
            // There is no host, but HTTP/1.1 servers insist on the header.
            host: "localhost",
            connect: { $0.connect(unixDomainSocketPath: path) },
            prepare: { _ in },
            explain: { _ in nil }
        )
    }
}
