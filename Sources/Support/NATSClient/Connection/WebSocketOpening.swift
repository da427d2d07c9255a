import NIOCore
import NIOHTTP1

/// Asks for the WebSocket, and reports an answer that refuses it: NIO passes such an answer on and says nothing.
final class WebSocketOpening: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let connection: Connection

    init(connection: Connection) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connection.opened(context.channel)
        if context.channel.isActive { ask(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        ask(context)
        context.fireChannelActive()
    }

    private func ask(_ context: ChannelHandlerContext) {
        let server = connection.server
        let standard = server.port == server.scheme.port
        let host = standard ? String(server.authority.dropLast("\(server.port)".count + 1)) : server.authority
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .GET,
            uri: server.path,
            headers: ["Host": host, "Content-Length": "0"]
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let reason = head.status.reasonPhrase.utf8.filter { (0x20...0x7E).contains($0) }.prefix(64)
        connection.end(
            NATSError(
                .upgradeRefused,
                "\(connection.server) answered \(head.status.code) \(String(decoding: reason, as: UTF8.self)), and opens no WebSocket"
            )
        )
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.end(
            NATSError(.upgradeRefused, "\(connection.server) closed the connection before it opened the WebSocket")
        )
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        var failure = NATSError(describing: error, server: connection.server)
        if failure.code == .disconnected {
            failure = NATSError(
                .upgradeRefused,
                "\(connection.server) did not answer the request for a WebSocket as HTTP demands"
            )
        }
        connection.end(failure)
    }
}
