import NIOCore

/// Stands before the parser: tells the connection that bytes come, and keeps out what nobody will read.
final class InputGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: Connection

    init(_ connection: Connection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard connection.admits(Self.unwrapInboundIn(data)) else { return }
        context.fireChannelRead(data)
    }
}
