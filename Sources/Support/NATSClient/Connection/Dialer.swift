import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import NameResolution

/// Opens the socket of a connection and puts its handlers in place.
struct Dialer {
    let configuration: NATSClientConfiguration
    let loop: any EventLoop

    /// What becomes of it, the connection reports to its client.
    func dial(_ connection: Connection) {
        let bound = NIOLoopBound(connection, eventLoop: loop)
        let (server, dialer) = (connection.server, self)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(configuration.loginDeadline)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try dialer.arrange(channel, bound.value) }
            }
        let opened: EventLoopFuture<any Channel>
        if let address = try? SocketAddress(ipAddress: server.host, port: server.port) {
            opened = bootstrap.connect(to: address)
        } else {
            opened = bootstrap.resolver(ThreadResolver(loop: loop)).connect(host: server.host, port: server.port)
        }
        opened.whenComplete { result in
            switch result {
            case .success(let channel): bound.value.opened(channel)
            case .failure(let error): bound.value.end(NATSError(describing: error, server: server))
            }
        }
    }

    private func arrange(_ channel: any Channel, _ connection: Connection) throws {
        guard !connection.hasEnded else { throw ChannelError.eof }
        let pipeline = channel.pipeline.syncOperations
        guard connection.server.scheme.isWebSocket else { return try pipeline.addHandler(connection) }
        if connection.server.scheme == .wss { try startTLS(on: channel, connection.server) }
        let opening = WebSocketOpening(connection: connection)
        let bound = NIOLoopBound((connection, opening), eventLoop: loop)
        let upgrader = NIOWebSocketClientUpgrader(
            // A server sends each message in one frame.
            maxFrameSize: configuration.incomingLimit + (1 << 16),
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(WebSocketBytes())
                    try pipeline.addHandler(bound.value.0)
                    pipeline.removeHandler(bound.value.1, promise: nil)
                }
            }
        )
        try pipeline.addHTTPClientHandlers(
            // The server's INFO may come in the packet that answers the request.
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in })
        )
        try pipeline.addHandler(opening)
    }

    /// Everything that is written from now on waits for the handshake.
    func startTLS(on channel: any Channel, _ server: NATSServer) throws {
        guard let context = configuration.tls else {
            throw NATSError(.tls, "\(server) demands TLS, and no authorities are configured")
        }
        var name = configuration.tlsName ?? server.host
        // An address is no name that a client may ask for.
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        if isAddress { name = "" }
        let handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : name)
        try channel.pipeline.syncOperations.addHandler(handler, position: .first)
    }
}
