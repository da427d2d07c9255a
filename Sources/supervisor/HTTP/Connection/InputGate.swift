import NIOCore

/// Precedes the parser: tells the connection that bytes arrive, drops those that will not be read, and has what belongs to a
/// large request wait its turn.
final class InputGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: Connection
    private let queue: TurnQueue
    private var context: ChannelHandlerContext?
    private var waiting = CircularBuffer<ByteBuffer>(initialCapacity: 0)
    private var waitingBytes = 0
    /// The client has closed its side behind what waits.
    private var inputIsClosed = false

    /// Bytes that wait; what comes on top, from a client that has closed its side, is taken at once.
    private static let limit = 128 * 1024

    init(_ connection: Connection, _ queue: TurnQueue) {
        self.connection = connection
        self.queue = queue
    }

    /// Whether nothing more is to be read from the socket yet.
    var isWaiting: Bool { !waiting.isEmpty }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        waiting.removeAll()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Self.unwrapInboundIn(data)
        guard isWaiting || connection.isLarge(with: bytes.readableBytes) else {
            pass(bytes, context)
            return
        }
        waiting.append(bytes)
        waitingBytes += bytes.readableBytes
        if waitingBytes > Self.limit {
            takeTurn()
        } else if waiting.count == 1 {
            queue.append { [weak self] in self?.takeTurn() }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isWaiting, case .inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Passes on what waits.
    private func takeTurn() {
        guard let context, isWaiting else { return }
        while let bytes = waiting.popFirst() {
            waitingBytes -= bytes.readableBytes
            pass(bytes, context)
        }
        context.fireChannelReadComplete()
        if inputIsClosed {
            inputIsClosed = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            connection.inputIsTaken()
        }
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard connection.admits(bytes) else { return }
        context.fireChannelRead(Self.wrapInboundOut(bytes))
    }
}
