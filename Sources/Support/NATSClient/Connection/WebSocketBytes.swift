import NIOCore
import NIOWebSocket

/// Turns the frames of a WebSocket into a stream of bytes and back. How the stream is cut into frames means nothing.
final class WebSocketBytes: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        // No extension was agreed on, and a server does not mask (RFC 6455, sections 5.1 and 5.2).
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3, frame.maskKey == nil else {
            context.close(promise: nil)
            return
        }
        switch frame.opcode {
        case .binary, .continuation, .text:
            if frame.length > 0 { context.fireChannelRead(wrapInboundOut(frame.unmaskedData)) }
        case .ping: send(.pong, frame.unmaskedData, context)
        case .connectionClose:
            send(.connectionClose, frame.unmaskedData, context)
            context.close(promise: nil)
        case .pong: break
        default: context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        guard bytes.readableBytes > 0 else {
            context.write(wrapOutboundOut(frame(.pong, bytes)), promise: promise)
            return
        }
        context.write(wrapOutboundOut(frame(.binary, bytes)), promise: promise)
    }

    private func send(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(frame(opcode, bytes)), promise: nil)
    }

    /// A client masks all that it sends (RFC 6455, section 5.3).
    private func frame(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: bytes)
    }
}
