import NIOCore

/// Precedes the parser: tells the connection that bytes arrive, and drops those that will not be read.
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
