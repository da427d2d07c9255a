import Logging
import NIOCore
import NIOPosix

/// Writes the standard error of a spawned plugin to the log: at most `linesPerSecond`, then nothing is read before the
/// second is over, so that a plugin that writes without end waits for its own pipe instead of filling the journal.
///
/// Lives on the event loop until the pipe ends.
final class DiagnosticReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    static let linesPerSecond = 100

    private let logger: Logger
    /// What the log calls the request with this id on the wire.
    private let requestName: (String) -> String?
    private var splitter = DiagnosticSplitter()
    private var window = NIODeadline.distantPast
    private var count = 0
    private var wasLimited = false

    private init(logger: Logger, requestName: @escaping (String) -> String?) {
        self.logger = logger
        self.requestName = requestName
    }

    /// Reads `descriptor`, which is closed at its end. Must be called on the loop.
    static func start(
        _ descriptor: Int32,
        on loop: any EventLoop,
        logger: Logger,
        requestName: @escaping (String) -> String?
    ) {
        let reader = NIOLoopBound(DiagnosticReader(logger: logger, requestName: requestName), eventLoop: loop)
        NIOPipeBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(reader.value)
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
            .whenFailure { error in logger.error("standard error cannot be read: \(error)") }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for line in splitter.lines(completedBy: unwrapInboundIn(data).readableBytesView) { write(line) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        guard count >= Self.linesPerSecond, window > now else { return context.read() }
        if !wasLimited { logger.warning("too much output on standard error; rate-limited") }
        wasLimited = true
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(deadline: window) { bound.value.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let line = splitter.finish() { write(line) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func write(_ line: DiagnosticLine) {
        let now = NIODeadline.now()
        if now >= window {
            if count < Self.linesPerSecond { wasLimited = false }
            window = now + .seconds(1)
            count = 0
        }
        count += 1
        var metadata: Logger.Metadata = [:]
        if let operation = line.operation { metadata["operation"] = "\(operation)" }
        if let request = line.request { metadata["request-id"] = "\(requestName(request) ?? request)" }
        logger.log(level: line.level, "\(line.text)", metadata: metadata)
    }
}
