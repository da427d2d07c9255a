public import NIOCore

/// A `NATSClient` for callers that are tasks. May be used from anywhere; the work is done on `loop`.
public struct AsyncNATSClient: Sendable {
    public let loop: any EventLoop
    private let client: NIOLoopBoundBox<NATSClient>

    /// See `NATSClient.init`. `login` and `onEvent` are called on `loop`.
    public init(
        loop: any EventLoop,
        configuration: NATSClientConfiguration,
        login: @escaping @Sendable (NATSError?) -> EventLoopFuture<NATSLogin>,
        onEvent: @escaping @Sendable (NATSEvent) -> Void
    ) {
        self.loop = loop
        client = .makeBoxSendingValue(
            NATSClient(loop: loop, configuration: configuration, login: login, onEvent: onEvent),
            eventLoop: loop
        )
    }

    public func start() {
        loop.execute { client.value.start() }
    }

    public func close() {
        loop.execute { client.value.close() }
    }

    public func reconnect() {
        loop.execute { client.value.reconnect() }
    }

    /// Runs `body` on the loop, where the client may be used.
    public func onLoop<Value: Sendable>(_ body: @escaping @Sendable (NATSClient) throws -> Value) async throws -> Value
    {
        try await loop.submit { try body(client.value) }.get()
    }

    public var isConnected: Bool {
        get async { (try? await onLoop { $0.isConnected }) ?? false }
    }

    /// Sends a request and waits for its first reply. Cancelling the task ends the wait.
    public func request(_ request: NATSRequest, deadline: TimeAmount) async throws(NATSError) -> NATSReply {
        do {
            for try await reply in replies(to: request, deadline: deadline) { return reply }
        } catch {
            throw error as? NATSError ?? NATSError(.cancelled, "the request was cancelled")
        }
        throw NATSError(.cancelled, "the request was cancelled")
    }

    /// Sends a request; its replies come as they are received, until the consumer stops. Throws the error that ends them:
    /// no responder, none within `deadline` after the one before, the end of the connection.
    ///
    /// - Parameter limit: Replies that may wait for the consumer; the request fails as `overloaded` beyond them.
    public func replies(
        to request: NATSRequest,
        deadline: TimeAmount,
        limit: Int = 64
    ) -> AsyncThrowingStream<NATSReply, any Error> {
        let (stream, continuation) = AsyncThrowingStream<NATSReply, any Error>
            .makeStream(bufferingPolicy: .bufferingOldest(limit))
        loop.execute {
            let client = client.value
            do throws(NATSError) {
                let id = try client.request(request, deadline: deadline) { result in
                    switch result {
                    case .success(let reply):
                        switch continuation.yield(reply) {
                        case .enqueued: return .more
                        case .dropped:
                            continuation.finish(
                                throwing: NATSError(.overloaded, "the replies are not read fast enough")
                            )
                        default: break
                        }
                    case .failure(let error): continuation.finish(throwing: error)
                    }
                    return .done
                }
                continuation.onTermination = { _ in
                    loop.execute { self.client.value.cancel(id) }
                }
            } catch {
                continuation.finish(throwing: error)
            }
        }
        return stream
    }

    /// Sends many requests with a window of open ones, and hands out the results in batches, in no order. Where the consumer
    /// stops, no more are sent.
    public func fanOut(
        _ requests: [NATSRequest],
        window: Int = 1000,
        deadline: TimeAmount
    ) -> AsyncStream<[NATSFanOutResult]> {
        // Bounded by the number of requests.
        let (stream, continuation) = AsyncStream<[NATSFanOutResult]>.makeStream()
        loop.execute {
            let id = client.value.fanOut(
                requests,
                window: window,
                deadline: deadline,
                results: { continuation.yield($0) },
                done: { continuation.finish() }
            )
            continuation.onTermination = { reason in
                guard case .cancelled = reason else { return }
                loop.execute { self.client.value.cancel(id) }
            }
        }
        return stream
    }

    public func publish(
        _ subject: String,
        headers: NATSHeaders = NATSHeaders(),
        payload: ByteBuffer,
        reply: String? = nil
    ) async throws(NATSError) {
        try await result { client throws(NATSError) in
            try client.publish(subject, headers: headers, payload: payload, reply: reply)
        }.get()
    }

    /// `receive` is called on the loop.
    @discardableResult
    public func subscribe(
        _ subject: String,
        queue: String? = nil,
        _ receive: @escaping @Sendable (NATSMessage) -> Void
    ) async throws(NATSError) -> NATSSubscription {
        try await result { client throws(NATSError) in
            try client.subscribe(subject, queue: queue, receive)
        }.get()
    }

    public func unsubscribe(_ subscription: NATSSubscription) {
        loop.execute { client.value.unsubscribe(subscription) }
    }

    /// See `NATSClient.drain`.
    public func drain(within limit: TimeAmount) async {
        try? await loop.flatSubmit { client.value.drain(within: limit) }.get()
    }

    private func result<Value: Sendable>(
        _ body: @escaping @Sendable (NATSClient) throws(NATSError) -> Value
    ) async -> Result<Value, NATSError> {
        let result = loop.submit {
            do throws(NATSError) {
                return Result<Value, NATSError>.success(try body(client.value))
            } catch {
                return .failure(error)
            }
        }
        return (try? await result.get()) ?? .failure(NATSError(.closed, "the event loop has ended"))
    }
}
