import NIOCore
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

/// Answers that come line by line, for a route that is a stream.
extension Connection {
    /// The stream is open: writes the head. False if the client is gone.
    func openStream() -> Bool {
        guard phase == .working, let context, let exchange else { return false }
        isEnding = true
        phase = .streaming
        streamIsChunked = exchange.takesChunks
        let head = state.writer.streamHead(
            requestID: exchange.id,
            chunked: streamIsChunked,
            seconds: state.clock.wallSeconds
        )
        context.writeAndFlush(Self.wrapOutboundOut(head), promise: nil)
        return phase == .streaming && !exchange.isHead
    }

    /// Writes some lines. Succeeds when the kernel has taken them.
    func write(lines: [UInt8]) -> EventLoopFuture<Void> {
        guard phase == .streaming, let context else {
            return state.loop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        stalledSince = .now()
        let bytes = streamIsChunked ? ResponseWriter.chunk(lines) : ByteBuffer(bytes: lines)
        let written = context.writeAndFlush(Self.wrapOutboundOut(bytes))
        written.assumeIsolated().whenComplete { [weak self] _ in
            guard let self else { return }
            self.stalledSince = nil
        }
        return written
    }

    /// There are no more lines, or there is no stream because of `error`.
    func endStream(_ error: SupervisorError? = nil) {
        stream = nil
        guard let context, let exchange else { return }
        switch phase {
        case .working:
            respond((error ?? SupervisorError(.failed, "There is no stream")).response(exchange.route?.errors ?? .text))
            deadline.arm()
        case .streaming:
            accessLog.write(.ok, to: exchange, from: context.remoteAddress)
            self.exchange = nil
            phase = .writing
            if streamIsChunked, !exchange.isHead {
                context.writeAndFlush(Self.wrapOutboundOut(ResponseWriter.chunk([])), promise: nil)
            }
            guard phase == .writing else { return }
            unwritten = bufferedBytes
            if unwritten == 0 { written(mustLinger: false) } else { awaitWrite(mustLinger: false) }
        case .head, .body, .refusing, .writing, .lingering, .closed:
            break
        }
    }
}
