import LinuxSupport
import NIOCore
import NIOHTTP1
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

/// One client: reads a request, has it answered, writes the response, and so on, one request at a time.
///
/// What comes while a request is being answered waits in the backlog, and once something does, nothing more is read from
/// the socket. On the event loop only.
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
        /// A refusal waits its turn; nothing more is read.
        case refusing
        /// The kernel has not taken the whole response yet.
        case writing
        /// The last answer was sent: further input is discarded.
        case lingering
        case closed
    }

    let entryPoint: EntryPoint
    /// The listener that accepted it.
    let listener: String
    /// The address that it comes from; empty for the control socket.
    let origin: String
    /// A request on it had the API key.
    private(set) var hasShownKey = false
    let accessLog: AccessLog

    // What follows is changed by this type and its extensions alone.
    var phase = Phase.head
    /// Since when no request is being answered.
    var idleSince = NIODeadline.now()

    /// How long what a client sent together with its connect may wait for others to be read.
    private static let newFor = TimeAmount.seconds(1)

    private(set) var context: ChannelHandlerContext?
    var exchange: Exchange?
    /// The latest request, which has its answer already or is in work.
    private var latest: (method: String, path: String)?
    private var task: RequestTasks.ID?
    var stream: Streams.ID?
    var streamIsChunked = true
    /// Since when the client has not taken what was written to it; nil while it takes everything.
    var stalledSince: NIODeadline?
    private(set) lazy var deadline = LoopDeadline(entryPoint.state.loop) { [weak self] in
        guard let self else { return }
        self.expired()
    }

    /// What precedes it in the pipeline.
    weak var gate: InputGate?
    private var readWaitsForTurn = false
    /// Bytes of the next request's head have arrived.
    var headHasBegun = false
    /// Bytes of the request so far.
    private var requestSize = 0
    /// The first line of that head has not ended.
    private var isInFirstLine = true
    var backlog = RequestBacklog()
    private(set) var inputIsClosed = false
    /// The response that is being written, or the next one, is the last.
    var isEnding = false
    /// Bytes that the kernel had not taken when the deadline was set.
    var unwritten = 0

    /// - Parameter peer: for the log; the address of a TCP client where nil.
    init(entryPoint: EntryPoint, listener: String, origin: String, peer: String?) {
        self.entryPoint = entryPoint
        self.listener = listener
        self.origin = origin
        accessLog = AccessLog(logger: entryPoint.state.logger, peer: peer)
    }

    var state: ServerState { entryPoint.state }

    /// Nothing has been read from it, and not because its client is slow.
    private var isNew: Bool { latest == nil && .now() < idleSince + Self.newFor }

    var takesInput: Bool { phase == .head || phase == .body }

    /// How soon it may be closed in favour of another connection; nil where that must not be.
    var standing: ConnectionStanding? {
        switch phase {
        case .working, .streaming: nil
        case .body where hasShownKey: nil
        case _ where hasShownKey: .known
        case .head where headHasBegun, .body: gate?.isWaiting == true ? .large : .begun
        case .head where isNew: .begun
        case .refusing: .large
        case .head, .writing, .lingering, .closed: .idle
        }
    }

    // MARK: What the server does with it

    /// No further request after the one that is being answered; closes at once where there is none.
    func finish() {
        isEnding = true
        switch phase {
        case .head: close()
        case .working, .streaming:
            if let task { state.tasks.cancelWait(task) }
            if let stream { state.streams.finish(stream) }
        case .body, .refusing, .writing, .lingering, .closed: break
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

    /// Whether what has arrived belongs to a request of more than a page, which waits its turn among others of its kind.
    func isLarge(with count: Int) -> Bool {
        guard takesInput, headHasBegun else { return false }
        return requestSize + count > state.limits.smallRequest
    }

    /// What waited has been passed on.
    func inputIsTaken() {
        guard readWaitsForTurn else { return }
        readWaitsForTurn = false
        context?.read()
    }

    /// Whether bytes from the socket are passed to the parser.
    func admits(_ bytes: ByteBuffer) -> Bool {
        switch phase {
        case .refusing, .lingering, .closed:
            return false
        case .head:
            if !headHasBegun {
                headHasBegun = true
                requestSize = 0
                isInFirstLine = true
                deadline.moment = .now() + state.limits.headTime
            }
            requestSize += bytes.readableBytes
            if isInFirstLine, bytes.readableBytesView.contains(UInt8(ascii: "\n")) { isInFirstLine = false }
            return true
        case .body:
            requestSize += bytes.readableBytes
            return true
        case .working, .streaming, .writing:
            // Reading is held from now on, yet a client that has closed its side is read to its end at once.
            if !backlog.admits(byteCount: bytes.readableBytes, limit: state.limits.sentAhead) { isEnding = true }
            return !isEnding
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = Self.unwrapInboundIn(data)
        if takesInput, backlog.isPassable {
            LoopWatch.shared.run(latest.map { "\($0.method) \(APIText.onOneLine($0.path.cut(toBytes: 64)))" }) {
                take(part)
            }
        } else if phase != .refusing, phase != .lingering, phase != .closed {
            backlog.append(part)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deadline.arm()
    }

    func read(context: ChannelHandlerContext) {
        // Nearly every client waits for its answer: switching reading off and on for each request would be two system
        // calls for nothing.
        if phase == .working || phase == .streaming || phase == .writing, backlog.holdsRead() { return }
        if phase == .refusing || gate?.isWaiting == true {
            readWaitsForTurn = true
            return
        }
        context.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError where takesInput && backlog.isPassable:
            refuse(error)
        case let error as HTTPParserError:
            backlog.fail(error)
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
            // It may still read its answer, but no client waits forever with one side closed.
            switch exchange?.route?.action {
            case .wait?, .stream?: context.close(promise: nil)
            default: break
            }
        case .refusing, .writing, .closed:
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
        backlog.removeParts()
        exchange = nil
        if let task { state.tasks.abandon(task) }
        if let stream { state.streams.abandon(stream) }
        entryPoint.left(self)
    }

    // MARK: Requests

    func take(_ part: HTTPServerRequestPart) {
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
            routes: entryPoint.routes,
            limits: state.limits,
            isOpen: entryPoint.isOpen,
            accepts: { device.acceptsNow(key: $0) }
        )
        let id = state.requestIDs.id(given: head.headers.first(name: "X-Request-Id"))
        let started = NIODeadline.now()
        exchange = Exchange(head, admission: admission, id: id, started: started)
        latest = (head.method.rawValue, admission.path)
        hasShownKey = hasShownKey || admission.hasKey
        phase = .body
        if case .refuse(let response) = admission.verdict {
            refuseInTurn(response)
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

    /// The whole request has arrived.
    private func answer() {
        exchange?.isComplete = true
        guard let exchange else { return }
        switch exchange.verdict {
        case .refuse(let response), .answer(let response):
            respond(response)
        case .run(let route, let parameter):
            var request = Request(
                id: exchange.id,
                parameter: parameter,
                query: exchange.query,
                contentType: exchange.contentType,
                bytes: exchange.body
            )
            // Here, where large requests have their turn one after the other, and not in the tasks.
            if route.readsBody { request.decodeBody() }
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
        case .task(let body), .wait(let body):
            exchange?.body = []
            phase = .working
            deadline.moment = nil
            task = state.tasks.begin(route, request, body) { [weak self] response in
                guard let self, self.phase == .working else { return }
                self.task = nil
                self.respond(response)
                self.deadline.arm()
            }
            if task == nil {
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

    func refuse(_ error: HTTPParserError) {
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

    /// Answers an incomplete or malformed request.
    private func refuse(_ response: Response) {
        if exchange == nil {
            exchange = Exchange(malformed: state.requestIDs.id(given: nil), started: .now())
        }
        refuseInTurn(response)
    }

    /// A crowd that is refused connects again at once: at the pace of its refusals, and not of the processor.
    private func refuseInTurn(_ response: Response) {
        phase = .refusing
        deadline.moment = nil
        state.turns.take { [weak self] in
            guard let self, self.phase == .refusing else { return }
            self.respond(response)
            self.deadline.arm()
            self.inputIsTaken()
        }
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
        case .working, .streaming, .refusing, .closed:
            break
        }
    }
}
