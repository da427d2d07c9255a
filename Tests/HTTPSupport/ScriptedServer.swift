import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A server on a unix socket that answers every request with the steps of a script: right, broken, or not at all.
/// Knows just enough of HTTP to see where a request ends.
package final class ScriptedServer: Sendable {
    package enum Step: Sendable {
        case send(String)
        /// One byte at a time, with 1 ms between them.
        case sendBytewise(String)
        case pause(Duration)
        /// Leave the connection as it is. Without this it is closed after the last step.
        case hang
    }

    package struct Request: Sendable, Equatable {
        package var method: String
        package var target: String
        /// Head and body as they came.
        package var text: String
        package var body: String
    }

    package let path: String
    private let directory = TemporaryDirectory()
    private let channel: any Channel
    private let log: Log

    /// What happened so far.
    private final class Log: Sendable {
        let requests = Mutex<[Request]>([])
        /// Completed when a client closes a connection.
        let closed: EventLoopPromise<Void>

        init(closed: EventLoopPromise<Void>) { self.closed = closed }
    }

    /// Runs `body` with a server that lives as long. `answer` is called on the server's loop.
    package static func run<Result>(
        answer: @escaping @Sendable (Request) -> [Step],
        _ body: (ScriptedServer) async throws -> Result
    ) async throws -> Result {
        let server = try await ScriptedServer(answer: answer)
        do {
            let result = try await body(server)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    private init(answer: @escaping @Sendable (Request) -> [Step]) async throws {
        path = directory["s.sock"]
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let log = Log(closed: loop.makePromise())
        self.log = log
        channel = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.pipeline.addHandler(Connection(answer: answer, log: log))
            }
            .bind(unixDomainSocketPath: path)
            .get()
    }

    /// The requests so far.
    package var requests: [Request] { log.requests.withLock { $0 } }

    /// Returns when a client has closed a connection.
    package func clientClosed() async throws {
        try await log.closed.futureResult.get()
    }

    private func stop() async {
        try? await channel.close()
        log.closed.succeed()
    }

    private final class Connection: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        private let answer: @Sendable (Request) -> [Step]
        private let log: Log
        private let received = Mutex<String>("")

        init(answer: @escaping @Sendable (Request) -> [Step], log: Log) {
            self.answer = answer
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = received.withLock { text in
                text += String(buffer: unwrapInboundIn(data))
                return text
            }
            guard let request = Self.request(text) else { return }
            log.requests.withLock { $0.append(request) }
            perform(answer(request)[...], on: context.channel)
        }

        func channelInactive(context: ChannelHandlerContext) {
            log.closed.succeed()
        }

        private static func request(_ text: String) -> Request? {
            let bytes = Array(text.utf8)
            guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
            let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            let body = bytes[end.upperBound...]
            let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                .flatMap { Int($0.dropFirst(16)) }
            guard body.count >= length ?? 0 else { return nil }
            let words = head.split(separator: " ")
            return Request(
                method: String(words[0]),
                target: String(words[1]),
                text: text,
                body: String(decoding: body, as: UTF8.self)
            )
        }

        private func perform(_ steps: ArraySlice<Step>, on channel: any Channel) {
            guard let step = steps.first else {
                channel.close(promise: nil)
                return
            }
            let rest = steps.dropFirst()
            switch step {
            case .send(let text):
                // Closing would discard what is not written yet.
                channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in self.perform(rest, on: channel) }
            case .sendBytewise(let text):
                let bytes = text.utf8.map { Step.send(String(decoding: [$0], as: UTF8.self)) }
                let paced = bytes.flatMap { [$0, Step.pause(.milliseconds(1))] }
                perform(paced + rest, on: channel)
            case .pause(let duration):
                channel.eventLoop.scheduleTask(in: TimeAmount(duration)) { self.perform(rest, on: channel) }
            case .hang:
                break
            }
        }
    }
}

extension ScriptedServer.Step {
    /// A complete answer with a length.
    package static func answer(_ status: Int, headers: [String] = [], _ body: String = "") -> Self {
        let lines = ["HTTP/1.1 \(status) X"] + headers + ["Content-Length: \(body.utf8.count)", "", body]
        return .send(lines.joined(separator: "\r\n"))
    }

    /// The head of an answer in chunks.
    package static func chunkedHead(_ status: Int) -> Self {
        .send("HTTP/1.1 \(status) X\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    package static func chunk(_ text: String) -> Self {
        .send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
    }

    package static let lastChunk = Self.send("0\r\n\r\n")
}
