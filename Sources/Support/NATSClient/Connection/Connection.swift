import NIOCore

/// One connection to a server, from the socket to the frames: collects what is written and cuts what is read. Lives on its
/// loop, belongs to one client and ends once.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// From here on what was written is sent without waiting for the end of the turn.
    private static let flushSize = 1 << 16

    let server: NATSServer
    /// nil once the connection has ended: nothing is reported any more.
    private(set) var client: NATSClient?
    private(set) var channel: (any Channel)?
    private(set) var lastRead = NIODeadline.now()
    /// What the server said before it closed.
    var farewell: NATSError?

    private var parser: ProtocolParser
    private var incoming = ByteBuffer()
    private var outgoing = ByteBuffer()
    /// Bytes that were sent and that the kernel has not taken.
    private var unsent = 0
    private var isFlushScheduled = false

    init(server: NATSServer, client: NATSClient) {
        self.server = server
        self.client = client
        parser = ProtocolParser(payloadLimit: client.configuration.incomingLimit)
    }

    var hasEnded: Bool { client == nil }
    var backlog: Int { outgoing.readableBytes + unsent }
    /// Whether bytes came that are no frame yet.
    var hasRemainder: Bool { incoming.readableBytes > 0 }

    /// The socket is open; the protocol may follow later.
    func opened(_ channel: any Channel) {
        guard !hasEnded else { return channel.close(mode: .all, promise: nil) }
        self.channel = channel
    }

    /// Ends the connection because of `error` and tells the client, once.
    func end(_ error: NATSError) {
        guard let client else { return }
        self.client = nil
        channel?.close(mode: .all, promise: nil)
        client.connectionEnded(self, error)
    }

    /// Sends what was written and closes then. The client hears nothing more. The future succeeds when all is over, two
    /// seconds later at most.
    func finish() -> EventLoopFuture<Void>? {
        guard client != nil, let channel else {
            client = nil
            return nil
        }
        let loop = channel.eventLoop
        let written = loop.makePromise(of: Void.self)
        let deadline = loop.scheduleTask(in: .seconds(2)) { channel.close(mode: .all, promise: nil) }
        let bytes = outgoing
        outgoing.clear()
        client = nil
        if bytes.readableBytes > 0 || unsent > 0 {
            channel.writeAndFlush(bytes, promise: written)
        } else {
            // A channel that is not open to the protocol yet takes no bytes.
            written.succeed()
        }
        written.futureResult.whenComplete { _ in channel.close(mode: .all, promise: nil) }
        return channel.closeFuture.always { _ in deadline.cancel() }
    }

    // MARK: Writing

    func write(_ body: (inout ByteBuffer) -> Void) {
        body(&outgoing)
        if outgoing.readableBytes >= Self.flushSize {
            flush()
        } else if !isFlushScheduled, let channel {
            // Also while reading: the end of a read cycle does not come through a TLS handler that was added in it.
            isFlushScheduled = true
            channel.eventLoop.assumeIsolated().execute {
                self.isFlushScheduled = false
                self.flush()
            }
        }
    }

    func flush() {
        guard let channel, !hasEnded, outgoing.readableBytes > 0 else { return }
        let size = outgoing.readableBytes
        unsent += size
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.unsent -= size
            self.client?.hasRoom()
        }
        let bytes = outgoing
        // A buffer of its own for what follows, before the write: that may complete at once, and then more is written.
        outgoing = channel.allocator.buffer(capacity: min(size, Self.flushSize))
        channel.writeAndFlush(bytes, promise: promise)
    }

    // MARK: Reading

    func handlerAdded(context: ChannelHandlerContext) {
        opened(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if incoming.readableBytes == 0 {
            read(&bytes)
            // What is left is copied, so that it does not hold the whole of a read buffer.
            guard bytes.readableBytes > 0, !hasEnded else { return }
            incoming = context.channel.allocator.buffer(capacity: max(bytes.readableBytes, parser.needed ?? 0))
            incoming.writeBuffer(&bytes)
        } else {
            incoming.writeBuffer(&bytes)
            guard parser.needed.map({ $0 <= incoming.readableBytes }) ?? true else { return }
            var all = incoming
            incoming = ByteBuffer()
            read(&all)
            guard all.readableBytes > 0, !hasEnded else { return }
            // Not moved but cut off: the frames that were read still hold the former one.
            all.discardReadBytes()
            incoming = all
        }
    }

    private func read(_ bytes: inout ByteBuffer) {
        do throws(NATSError) {
            while !hasEnded, let frame = try parser.next(in: &bytes) {
                try client?.received(frame, from: self, remainder: bytes.readableBytes)
            }
        } catch {
            end(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        lastRead = .now()
        client?.readComplete()
        flush()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(farewell ?? NATSError(.disconnected, "the server closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(farewell ?? NATSError(describing: error, server: server))
    }
}
