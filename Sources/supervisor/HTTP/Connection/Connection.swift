import Logging
import NIOCore
import NIOHTTP1
import SupervisorCore
import SupervisorPorts

/// One client: reads a request, has it answered, writes the response, and so on, one request at a time.
///
/// What comes while a request is being answered waits here, and once something does, nothing more is read from the socket.
/// On the event loop only.
final class Connection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests, or in the head of one.
        case head
        case body
        /// The core is at work.
        case working
        /// The response comes line by line.
        case streaming
        /// The kernel has not taken the whole response yet.
        case writing
        /// Answered for the last time: what still comes is thrown away.
        case lingering
        case closed
    }

    let entrance: Entrance
    /// The listener that accepted it.
    let listener: String
    /// For the log; the address of a TCP client where nil.
    private let peer: String?

    private(set) var phase = Phase.head
    /// Since when no request is being answered.
    private(set) var idleSince = NIODeadline.now()

    private var context: ChannelHandlerContext?
    private var exchange: Exchange?
    private var operation: Operations.ID?
    private var stream: Streams.ID?
    private var streamIsChunked = true
    /// Since when the client has not taken what was written to it; nil while it takes everything.
    private(set) var stalledSince: NIODeadline?
    private lazy var deadline = Deadline(entrance.state.loop) { [weak self] in
        guard let self else { return }
        self.expired()
    }

    /// Some of the next head is here.
    private var headHasBegun = false
    /// The first line of that head has not ended.
    private var isInFirstLine = true
    /// Parts and the error of requests that wait for their turn, and the bytes that they were made of.
    private var waiting = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 0)
    private var waitingError: HTTPParserError?
    private var waitingBytes = 0
    private var isResuming = false
    private var readIsHeld = false
    private var inputIsClosed = false
    /// The response that is being written, or the next one, is the last.
    private var isEnding = false
    private var unwritten = 0

    init(entrance: Entrance, listener: String, peer: String?) {
        self.entrance = entrance
        self.listener = listener
        self.peer = peer
    }

    private var state: ServerState { entrance.state }

    private var takesInput: Bool { phase == .head || phase == .body }

    /// Whether it must not be closed in favour of another connection.
    var isAtWork: Bool { phase == .working || phase == .streaming }

    // MARK: What the server does with it

    /// No further request after the one that is being answered; closes at once where there is none.
    func finish() {
        isEnding = true
        switch phase {
        case .head: close()
        case .working, .streaming:
            if let operation { state.operations.cancelWait(operation) }
            if let stream { state.streams.finish(stream) }
        case .body, .writing, .lingering, .closed: break
        }
    }

    /// Whatever it is doing.
    func close() {
        context?.close(promise: nil)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadline.moment = .now() + state.limits.headTime
        deadline.arm()
    }

    /// Comes after every end, also of a connection that is closed before it was ever active.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        leave()
    }

    /// Whether bytes from the socket go on to the parser.
    func admits(_ bytes: ByteBuffer) -> Bool {
        switch phase {
        case .lingering, .closed:
            return false
        case .head:
            if !headHasBegun {
                headHasBegun = true
                isInFirstLine = true
                deadline.moment = .now() + state.limits.headTime
            }
            if isInFirstLine, bytes.readableBytesView.contains(UInt8(ascii: "\n")) { isInFirstLine = false }
            return true
        case .body:
            return true
        case .working, .streaming, .writing:
            // Reading is held from now on, yet a client that has closed its side is read to its end at once.
            waitingBytes += bytes.readableBytes
            if waitingBytes > state.limits.sentAhead { isEnding = true }
            return !isEnding
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = Self.unwrapInboundIn(data)
        if takesInput, waiting.isEmpty, !isResuming {
            take(part)
        } else if phase != .lingering, phase != .closed {
            waiting.append(part)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deadline.arm()
    }

    func read(context: ChannelHandlerContext) {
        // Nearly every client waits for its answer: telling the kernel twice for each request that nothing is wanted, and
        // that something is, would be two system calls for nothing.
        if phase == .working || phase == .streaming || phase == .writing, waitingBytes > 0 {
            readIsHeld = true
        } else {
            context.read()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError where takesInput && waiting.isEmpty && !isResuming:
            refuse(error)
        case let error as HTTPParserError:
            waitingError = error
        default:
            // The connection was reset, or bytes came after the parser had given up.
            if phase != .lingering { context.close(promise: nil) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        inputIsClosed = true
        switch phase {
        case .head, .body, .lingering:
            context.close(promise: nil)
        case .working, .streaming:
            // It may still read its answer, but nobody waits for ever with one side closed.
            switch exchange?.route?.action {
            case .wait?, .stream?: context.close(promise: nil)
            default: break
            }
        case .writing, .closed:
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
    }

    private func leave() {
        guard phase != .closed else { return }
        phase = .closed
        deadline.cancel()
        waiting.removeAll()
        exchange = nil
        if let operation { state.operations.abandon(operation) }
        if let stream { state.streams.abandon(stream) }
        entrance.left(self)
    }

    // MARK: Requests

    private func take(_ part: HTTPServerRequestPart) {
        switch (part, phase) {
        case (.head(let head), .head): begin(head)
        case (.body(let bytes), .body): append(bytes)
        case (.end, .body): answer()
        default: break
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        let device = state.device
        let admission = Admission(
            head,
            routes: entrance.routes,
            limits: state.limits,
            isOpen: entrance.isOpen,
            accepts: { device.acceptsNow(key: $0) }
        )
        let id = state.requestIDs.id(given: head.headers.first(name: "X-Request-Id"))
        let started = NIODeadline.now()
        exchange = Exchange(head, admission: admission, id: id, started: started)
        phase = .body
        if case .refuse(let response) = admission.verdict {
            respond(response)
            return
        }
        deadline.moment = started + state.limits.bodyTime
        if admission.awaitsContinue {
            context?.writeAndFlush(Self.wrapOutboundOut(ResponseWriter.goOn), promise: nil)
        }
    }

    private func append(_ bytes: ByteBuffer) {
        if exchange?.take(bytes, limit: state.limits.bodySize) == false {
            respond(.text(.payloadTooLarge, "The body is over \(state.limits.bodySize / 1024) kB"))
        }
    }

    /// The whole request is here.
    private func answer() {
        exchange?.isComplete = true
        guard let exchange else { return }
        switch exchange.verdict {
        case .refuse(let response), .answer(let response):
            respond(response)
        case .run(let route, let parameter):
            let request = Request(
                id: exchange.id,
                parameter: parameter,
                query: exchange.query,
                contentType: exchange.contentType,
                bytes: exchange.body
            )
            run(route, request)
        }
    }

    private func run(_ route: Route, _ request: Request) {
        switch route.action {
        case .immediate(let body):
            do throws(SupervisorError) {
                respond(try body(request, state.device))
            } catch {
                respond(error.response(route.errors))
            }
        case .operation(let body), .wait(let body):
            exchange?.body = []
            phase = .working
            deadline.moment = nil
            operation = state.operations.begin(route, request, body) { [weak self] response in
                guard let self, self.phase == .working else { return }
                self.operation = nil
                self.respond(response)
                self.deadline.arm()
            }
            if operation == nil {
                respond(SupervisorError(.busy, "Too many requests are being answered").response(route.errors))
            }
        case .stream(let body):
            exchange?.body = []
            phase = .working
            deadline.moment = nil
            stream = state.streams.begin(request, body, for: self)
            if stream == nil {
                respond(SupervisorError(.busy, "Too many streams are being read").response(route.errors))
            }
        }
    }

    private func refuse(_ error: HTTPParserError) {
        let response: Response =
            switch error {
            case .headerOverflow where phase == .head && isInFirstLine:
                .text(.uriTooLong, "The request target is too long")
            case .headerOverflow:
                .text(.requestHeaderFieldsTooLarge, "The header is too large")
            default:
                .text(.badRequest, "Bad request")
            }
        refuse(response)
    }

    /// Answers what is not a whole request.
    private func refuse(_ response: Response) {
        if exchange == nil {
            exchange = Exchange(malformed: state.requestIDs.id(given: nil), started: .now())
        }
        respond(response)
    }

    // MARK: Streams

    /// The stream is there: writes the head. False where there is nobody to read it.
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
            log(.ok, of: exchange)
            self.exchange = nil
            phase = .writing
            if streamIsChunked, !exchange.isHead {
                context.writeAndFlush(Self.wrapOutboundOut(ResponseWriter.chunk([])), promise: nil)
            }
            guard phase == .writing else { return }
            unwritten = bufferedBytes
            if unwritten == 0 { written(mustLinger: false) } else { awaitWrite(mustLinger: false) }
        case .head, .body, .writing, .lingering, .closed:
            break
        }
    }

    // MARK: Responses

    private func respond(_ response: Response) {
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
        log(response, of: exchange)
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

    private var bufferedBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// An empty write is done when everything before it is.
    private func awaitWrite(mustLinger: Bool) {
        guard let context else { return }
        deadline.moment = .now() + state.limits.writeTime
        deadline.arm()
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { [weak self] _ in
            guard let self, self.phase == .writing else { return }
            self.written(mustLinger: mustLinger)
            self.deadline.arm()
        }
    }

    private func written(mustLinger: Bool) {
        idleSince = .now()
        guard !isEnding else {
            end(lingering: mustLinger || !waiting.isEmpty || waitingBytes > 0)
            return
        }
        phase = .head
        headHasBegun = false
        deadline.moment = idleSince + state.limits.idleTime
        resume()
    }

    private func end(lingering: Bool) {
        waiting.removeAll()
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

    /// Goes on with what came while a request was being answered.
    private func resume() {
        guard !isResuming else { return }
        isResuming = true
        while takesInput, let part = waiting.popFirst() { take(part) }
        isResuming = false
        guard takesInput else { return }
        waitingBytes = 0
        if let error = waitingError {
            waitingError = nil
            refuse(error)
        } else if inputIsClosed {
            close()
        } else {
            releaseRead()
        }
    }

    private func releaseRead() {
        guard readIsHeld else { return }
        readIsHeld = false
        context?.read()
    }

    // MARK: Time

    private func expired() {
        switch phase {
        case .head where headHasBegun, .body:
            refuse(.text(.requestTimeout, "The request took too long"))
        case .writing where bufferedBytes < unwritten:
            unwritten = bufferedBytes
            deadline.moment = .now() + state.limits.writeTime
            deadline.arm()
        case .head, .writing, .lingering:
            close()
        case .working, .streaming, .closed:
            break
        }
    }

    // MARK: Log

    private func log(_ response: Response, of exchange: Exchange) {
        let level: Logger.Level = exchange.route?.isNotable == true ? .info : .debug
        guard state.logger.logLevel <= level else { return }
        let milliseconds = (NIODeadline.now() - exchange.started).nanoseconds / 1_000_000
        let address = peer ?? context?.remoteAddress.map { "\($0.ipAddress ?? "-"):\($0.port ?? 0)" } ?? "-"
        state.logger.log(
            level: level,
            "\(exchange.method) \(PlainText.onOneLine(exchange.path)) \(response.status.code) in \(milliseconds) ms",
            metadata: ["request-id": "\(exchange.id)", "peer": "\(address)"]
        )
    }
}
