internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// How long an exchange waits for the other side.
struct Patience: Sendable {
    /// Up to the head of an answer that goes to a consumer, up to the end of any other.
    var answer: Duration
    /// Between two pieces of a body that goes to a consumer.
    var idle: Duration?
}

/// One request and its answer on a connection of its own: the last handler of its channel.
///
/// Lives on the event loop. The continuation is resumed by `finish` and by nothing else, exactly once; whatever may
/// happen to the channel (read, error, close, removal) and the timer end there.
final class ClientExchange<Consumer: BodyConsumer>: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Success: Sendable {
        var response: UnixHTTPResponse
        var consumer: Consumer?
    }

    typealias Outcome = Result<Success, UnixHTTPError>

    private let transport: HTTPTransport
    private let request: ClientRequest
    private let patience: Patience
    private let limit: Int
    private var consumer: Consumer?

    /// nil once resumed.
    private var continuation: CheckedContinuation<Outcome, Never>?
    private var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private var response: UnixHTTPResponse?
    /// Whether the body goes to the consumer.
    private var isStreaming = false
    private var lastArrival = NIODeadline.distantPast

    init(
        transport: HTTPTransport,
        request: ClientRequest,
        patience: Patience,
        limit: Int,
        consumer: Consumer?,
        continuation: CheckedContinuation<Outcome, Never>
    ) {
        self.transport = transport
        self.request = request
        self.patience = patience
        self.limit = limit
        self.consumer = consumer
        self.continuation = continuation
    }

    func start(on loop: any EventLoop) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.assumeIsolated().scheduleTask(in: TimeAmount(patience.answer)) { [patience] in
            self.fail(.timedOut(patience.answer))
        }
        let bootstrap = ClientBootstrap(group: loop)
            .channelInitializer { [transport] channel in
                channel.eventLoop.makeCompletedFuture {
                    bound.value.channel = channel
                    try transport.prepare(channel)
                    // Any answer of an engine or of ours has a head of a few hundred bytes.
                    var limits = NIOHTTPDecoderLimitConfiguration()
                    limits.maxHeaderFieldSize = 16 << 10
                    limits.maxHeaderListSize = 64 << 10
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers(decoderLimitConfiguration: limits)
                    try pipeline.addHandler(bound.value)
                }
            }
        transport.connect(bootstrap)
            .assumeIsolated()
            .whenFailure { error in self.fail(self.reason(ofConnect: error)) }
    }

    func cancel() {
        fail(.cancelled)
    }

    // MARK: The channel

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        if !request.body.isEmpty {
            let body = context.channel.allocator.buffer(bytes: request.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        // A write that fails is no verdict: a server that answers before it has read everything may have refused the
        // rest. The channel closes if nothing is to come.
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard continuation != nil else { return }
        lastArrival = .now()
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, on: context.eventLoop)
        case .body(let bytes): receive(bytes)
        case .end: succeed()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: fail(.closed(answerBegun: response != nil))
        case let error as HTTPParserError: fail(.malformedAnswer("\(error)"))
        default:
            if let text = transport.explain(error) {
                fail(.transportFailed(text))
            } else {
                fail(.closed(answerBegun: response != nil))
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.closed(answerBegun: response != nil))
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        fail(.closed(answerBegun: response != nil))
    }

    // MARK: The answer

    private func begin(_ head: HTTPResponseHead, on loop: any EventLoop) {
        let response = UnixHTTPResponse(status: Int(head.status.code), headers: head.headers)
        self.response = response
        guard consumer != nil, response.isSuccess else { return }
        isStreaming = true
        timer?.cancel()
        timer = nil
        if let idle = patience.idle { wait(for: TimeAmount(idle), idle: idle, on: loop) }
        consumer?.begin()
    }

    private func receive(_ bytes: ByteBuffer) {
        if isStreaming {
            if consumer?.receive(bytes) == .stop { succeed() }
        } else if (response?.body.count ?? 0) + bytes.readableBytes > limit {
            fail(.answerTooLarge(limit: limit))
        } else {
            response?.body.append(contentsOf: bytes.readableBytesView)
        }
    }

    /// Looks again when the idle time has passed since the last arrival, instead of a new timer with each piece.
    private func wait(for delay: TimeAmount, idle: Duration, on loop: any EventLoop) {
        timer = loop.assumeIsolated().scheduleTask(in: delay) {
            let rest = self.lastArrival + TimeAmount(idle) - .now()
            if rest > .zero {
                self.wait(for: rest, idle: idle, on: loop)
            } else {
                self.fail(.timedOut(idle))
            }
        }
    }

    private func succeed() {
        guard let response else { return fail(.malformedAnswer("a body without a head")) }
        finish(.success(Success(response: response, consumer: consumer)))
    }

    private func fail(_ reason: UnixHTTPError.Reason) {
        finish(.failure(UnixHTTPError(reason, path: transport.name)))
    }

    private func finish(_ outcome: Outcome) {
        guard let continuation else { return }
        self.continuation = nil
        timer?.cancel()
        timer = nil
        channel?.close(promise: nil)
        channel = nil
        continuation.resume(returning: outcome)
    }

    private func reason(ofConnect error: any Error) -> UnixHTTPError.Reason {
        if let text = transport.explain(error) { return .transportFailed(text) }
        return switch error {
        case let error as IOError: .connectFailed(error.errnoCode)
        case is SocketAddressError: .connectFailed(ENAMETOOLONG)
        case ChannelError.connectTimeout(let amount): .timedOut(Duration(amount))
        default: .connectFailed(EIO)
        }
    }
}
