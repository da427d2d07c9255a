import NIOCore
import SupervisorEventLoop
import SupervisorPorts

/// Writing a response, and what follows once the kernel has taken all of it: the next request, or the end.
extension Connection {
    func respond(_ response: Response) {
        guard let context, let exchange else { return }
        self.exchange = nil
        isEnding = isEnding || !exchange.keepsAlive || !exchange.isComplete || state.isDraining
        let mustLinger = !exchange.isComplete
        let bytes = state.writer.bytes(
            of: response,
            requestID: exchange.id,
            withoutBody: exchange.isHead,
            closing: isEnding,
            seconds: state.clock.wallSeconds
        )
        accessLog.write(response, to: exchange, from: context.remoteAddress)
        phase = .writing
        context.writeAndFlush(Self.wrapOutboundOut(bytes), promise: nil)
        guard phase == .writing else { return }
        unwritten = bufferedBytes
        if unwritten == 0 {
            written(mustLinger: mustLinger)
        } else {
            awaitWrite(mustLinger: mustLinger)
        }
    }

    var bufferedBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// An empty write is done when everything before it is.
    func awaitWrite(mustLinger: Bool) {
        guard let context else { return }
        deadline.moment = .now() + state.limits.writeTime
        deadline.arm()
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { [weak self] _ in
            guard let self, self.phase == .writing else { return }
            self.written(mustLinger: mustLinger)
            self.deadline.arm()
        }
    }

    func written(mustLinger: Bool) {
        idleSince = .now()
        guard !isEnding else {
            end(lingering: mustLinger || backlog.hasUnanswered)
            return
        }
        phase = .head
        headHasBegun = false
        deadline.moment = idleSince + state.limits.idleTime
        resume()
    }

    private func end(lingering: Bool) {
        backlog.removeParts()
        guard lingering, !inputIsClosed else {
            close()
            return
        }
        phase = .lingering
        deadline.moment = .now() + state.limits.lingerTime
        deadline.arm()
        context?.close(mode: .output, promise: nil)
        releaseRead()
    }

    /// Takes what came while a request was being answered.
    private func resume() {
        guard backlog.beginResuming() else { return }
        while takesInput, let part = backlog.popFirst() { take(part) }
        backlog.endResuming()
        guard takesInput else { return }
        if let error = backlog.finish() {
            refuse(error)
        } else if inputIsClosed {
            close()
        } else {
            releaseRead()
        }
    }

    private func releaseRead() {
        if backlog.releasesRead() { context?.read() }
    }
}
