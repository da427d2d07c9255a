import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

@testable import SupervisorHTTP

/// The server from the first byte of a connection to the answer: NIO's parser, admission, routes, bodies, and requests that
/// end in the middle.
///
/// The first byte chooses the way in, how the bytes are cut into pieces, and how the connection ends.
final class RequestsTarget: FuzzTarget {
    private struct Clock: SupervisorClock {
        var now: Duration { .zero }
        var wallSeconds: Int64 { 1_000_000_000 }
        func sleep(for duration: Duration) async throws(CancellationError) {}
    }

    private let loop = EmbeddedEventLoop()
    private let network: EntryPoint
    private let control: EntryPoint

    init() {
        let executor = LoopExecutor(loop)
        let state = ServerState(
            executor: executor,
            device: FuzzDevice(executor: executor),
            settings: HTTPServerSettings(),
            limits: HTTPLimits(),
            clock: Clock(),
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
        )
        network = EntryPoint(state: state, routes: RouteTable(.v1), isTrusted: false, maxConnections: 8)
        control = EntryPoint(state: state, routes: RouteTable(.v1 + .control), isTrusted: true, maxConnections: 8)
    }

    func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let entryPoint = first & 1 == 0 ? network : control
        let channel = EmbeddedChannel(loop: loop)
        do {
            try entryPoint.admit(channel, listener: "fuzz")
            channel.pipeline.fireChannelActive()
            let content = input.dropFirst()
            // Whole, or in up to 32 pieces.
            let size = first & 2 == 0 ? max(1, content.count) : max(1 + Int(first >> 3), content.count / 32 + 1)
            var start = content.startIndex
            while start < content.endIndex, channel.isActive || start == content.startIndex {
                let end = min(content.endIndex, start + size)
                try channel.writeInbound(ByteBuffer(bytes: content[start..<end]))
                start = end
            }
        } catch {
            // The parser refuses the input, which the connection has answered.
        }
        // What is large or refused has its turns.
        loop.advanceTime(by: .milliseconds(100))
        if first & 4 != 0 { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        loop.advanceTime(by: .milliseconds(2))
        precondition(entryPoint.connectionCount == 0, "a connection is not given up")
    }
}
