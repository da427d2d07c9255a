public import NIOCore
public import NIOHTTP1

/// An HTTP/1.1 client of one server: on a unix socket, or wherever a transport reaches. Every request has a connection of its own, which is closed after the answer.
///
/// May be used from anywhere; connections, time-outs and consumers live on `loop`. A caller that runs on the loop
/// never leaves it. Cancelling the calling task closes the connection and throws `cancelled`.
///
/// Ours because async-http-client, which can do the same, costs 16 MB and five threads.
public struct UnixHTTPClient: Sendable {
    /// The socket in the file system, or what the transport calls the server.
    public var path: String { transport.name }
    public let loop: any EventLoop
    private let transport: HTTPTransport

    public init(path: String, loop: any EventLoop) {
        self.init(transport: .unixSocket(path), loop: loop)
    }

    public init(transport: HTTPTransport, loop: any EventLoop) {
        self.transport = transport
        self.loop = loop
    }

    /// Sends one request and collects the answer, whatever its status.
    ///
    /// - Parameters:
    ///   - target: Path and query, percent-encoded, beginning with "/".
    ///   - headers: In addition to Host, Connection and Content-Length, which are ours.
    ///   - timeout: From the call to the last byte of the answer.
    ///   - limit: How many bytes the answer's body may have.
    public func request(
        _ method: HTTPMethod,
        _ target: String,
        headers: HTTPHeaders = [:],
        body: [UInt8] = [],
        timeout: Duration,
        limit: Int
    ) async throws(UnixHTTPError) -> UnixHTTPResponse {
        let request = try ClientRequest(method, target, headers, body, host: transport.host, path: path)
        return try await exchange(
            request,
            patience: Patience(answer: timeout, idle: nil),
            limit: limit,
            consumer: NoConsumer?.none
        ).response
    }

    /// Sends one request and hands the body of a successful answer (2xx) to `consumer` piece by piece, as it comes;
    /// returns when the body has ended or the consumer has stopped it. The body of any other answer is collected.
    ///
    /// Nothing is buffered: the next bytes are read when the consumer has returned from the last.
    ///
    /// - Parameters:
    ///   - target: Path and query, percent-encoded, beginning with "/".
    ///   - headers: In addition to Host, Connection and Content-Length, which are ours.
    ///   - headTimeout: From the call to the head of a successful answer, or to the end of another.
    ///   - idleTimeout: How long a body may be silent; nil for ever.
    ///   - limit: How many bytes the body of an unsuccessful answer may have.
    /// - Returns: The answer, with an empty body if the consumer had it, and the consumer in its last state.
    public func stream<Consumer: BodyConsumer>(
        _ method: HTTPMethod,
        _ target: String,
        headers: HTTPHeaders = [:],
        body: [UInt8] = [],
        headTimeout: Duration,
        idleTimeout: Duration?,
        limit: Int = 1 << 16,
        into consumer: Consumer
    ) async throws(UnixHTTPError) -> (response: UnixHTTPResponse, consumer: Consumer) {
        let request = try ClientRequest(method, target, headers, body, host: transport.host, path: path)
        let success = try await exchange(
            request,
            patience: Patience(answer: headTimeout, idle: idleTimeout),
            limit: limit,
            consumer: consumer
        )
        return (success.response, success.consumer ?? consumer)
    }

    private func exchange<Consumer: BodyConsumer>(
        _ request: ClientRequest,
        patience: Patience,
        limit: Int,
        consumer: Consumer?
    ) async throws(UnixHTTPError) -> ClientExchange<Consumer>.Success {
        // A cancelled task must not have any effect.
        guard !Task.isCancelled else { throw UnixHTTPError(.cancelled, path: path) }
        let box = NIOLoopBoundBox.makeBoxSendingValue(Slot<Consumer>(), eventLoop: loop)
        let outcome: ClientExchange<Consumer>.Outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                onLoop {
                    let exchange = ClientExchange(
                        transport: transport,
                        request: request,
                        patience: patience,
                        limit: limit,
                        consumer: consumer,
                        continuation: continuation
                    )
                    if box.value.isCancelled {
                        exchange.cancel()
                    } else {
                        box.value.exchange = exchange
                        exchange.start(on: loop)
                    }
                }
            }
        } onCancel: {
            // Always a turn of the loop later, so that this finds an exchange that is just being started.
            loop.execute {
                box.value.isCancelled = true
                box.value.exchange?.cancel()
            }
        }
        return try outcome.get()
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.inEventLoop { body() } else { loop.execute(body) }
    }

    /// Where a cancellation finds its exchange, whichever of the two comes first.
    private struct Slot<Consumer: BodyConsumer> {
        var isCancelled = false
        var exchange: ClientExchange<Consumer>?
    }

    /// Used where there is no consumer.
    private struct NoConsumer: BodyConsumer {
        mutating func receive(_ bytes: ByteBuffer) -> BodyDecision { .stop }
    }
}
