import LinuxSupport
public import NIOCore

/// A client of nats-server: one connection, which is made again for ever, with subscriptions and requests on it.
///
/// Confined to `loop`: everything is called there, and calls back there. It starts no thread but a short one for each name
/// that it resolves, no task, and nothing of Dispatch. It lives until `close()`.
public final class NATSClient {
    public let loop: any EventLoop
    let configuration: NATSClientConfiguration
    let login: (NATSError?) -> EventLoopFuture<NATSLogin>
    let onEvent: (NATSEvent) -> Void

    // Connecting.
    var phase = Phase.idle
    /// Attempts so far, which choose the server; and those since the last connection that lasted.
    var (attempts, failures) = (0, 0)
    var lastError: NATSError?
    var timer: Scheduled<Void>?
    var info: NATSServerInfo?
    var connectedSince = NIODeadline.now()

    // Messages.
    let inbox: String
    var subscriptions: [Int: Subscription] = [:]
    private var nextSubscription = 2
    /// Who waits for the PONGs that are owed, in their order.
    var pongs: [() -> Void] = []
    var isDraining = false
    var drained: EventLoopPromise<Void>?

    // Requests.
    var requests = RequestTable()
    var fanOuts: [FanOut] = []
    var nextFanOut = 0
    var isSweeping = false

    static let inboxSubscription = 1

    enum Phase {
        case idle
        /// For the credentials, in the attempt of this number.
        case asking(Int)
        case loggingIn(Connection, NATSLogin)
        case connected(Connection)
        /// Until the next attempt.
        case waiting
        case closed
    }

    struct Subscription {
        var subject: String
        var queue: String?
        /// Messages that are still to come; nil for any number.
        var left: Int?
        var receive: (NATSMessage) -> Void
    }

    /// - Parameters:
    ///   - login: Called before each attempt, with the error that ended the one before. Where the future fails, the attempt
    ///     has failed.
    ///   - onEvent: What happens to the connection.
    public init(
        loop: any EventLoop,
        configuration: NATSClientConfiguration,
        login: @escaping (NATSError?) -> EventLoopFuture<NATSLogin>,
        onEvent: @escaping (NATSEvent) -> Void
    ) {
        self.loop = loop
        self.configuration = configuration
        self.login = login
        self.onEvent = onEvent
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        inbox = "_INBOX." + String(decoding: (0..<22).map { _ in letters.randomElement()! }, as: UTF8.self) + "."
    }

    var connection: Connection? {
        if case .connected(let connection) = phase { connection } else { nil }
    }

    public var isConnected: Bool { connection != nil }
    public var server: NATSServer? { connection?.server }

    /// Receives what is sent to a subject, which may hold wildcards. The subscription holds across reconnects; what is sent
    /// in between is lost.
    ///
    /// - Parameters:
    ///   - queue: Each message goes to one of the subscribers of this name.
    ///   - limit: After as many messages the subscription ends.
    @discardableResult
    public func subscribe(
        _ subject: String,
        queue: String? = nil,
        limit: Int? = nil,
        _ receive: @escaping (NATSMessage) -> Void
    ) throws(NATSError) -> NATSSubscription {
        try Self.check(subject, mayHaveWildcards: true)
        if let queue { try Self.check(queue) }
        guard limit ?? 1 > 0 else { throw NATSError(.invalid, "the limit of a subscription is 1 or more") }
        let id = nextSubscription
        nextSubscription += 1
        let subscription = Subscription(subject: subject, queue: queue, left: limit, receive: receive)
        subscriptions[id] = subscription
        connection?.write { Self.write(subscription, id, to: &$0) }
        return NATSSubscription(id: id)
    }

    public func unsubscribe(_ subscription: NATSSubscription) {
        guard subscriptions.removeValue(forKey: subscription.id) != nil else { return }
        connection?.write { $0.writeString("UNSUB \(subscription.id)\r\n") }
    }

    /// Sends a message.
    ///
    /// - Parameter reply: Where an answer is to go.
    /// - Throws: `notConnected`, `overloaded`, `payloadTooLarge` and `invalid`; nothing was sent then.
    public func publish(
        _ subject: String,
        headers: NATSHeaders = NATSHeaders(),
        payload: ByteBuffer,
        reply: String? = nil
    ) throws(NATSError) {
        let connection = try ready(subject, headers, payload)
        if let reply { try Self.check(reply) }
        connection.write { buffer in
            Self.writeHead(subject, headers, payload, to: &buffer) { if let reply { $0.writeString("\(reply) ") } }
            Self.writeBody(headers, payload, to: &buffer)
        }
    }

    /// Asks that no message come any more, and waits until the server has confirmed it and no request is open. What is
    /// published meanwhile and afterwards is sent; `close()` ends it. Succeeds in any case, after `limit` at the latest.
    public func drain(within limit: TimeAmount) -> EventLoopFuture<Void> {
        if let drained { return drained.futureResult }
        let promise = loop.makePromise(of: Void.self)
        drained = promise
        isDraining = true
        guard let connection else {
            endDrain()
            return promise.futureResult
        }
        let ids = subscriptions.keys.sorted()
        connection.write { buffer in
            for id in ids { buffer.writeString("UNSUB \(id)\r\n") }
        }
        ping {
            self.subscriptions = [:]
            self.isDraining = false
            self.finishDrain()
        }
        let deadline = loop.assumeIsolated().scheduleTask(in: limit) { self.endDrain() }
        return promise.futureResult.always { _ in deadline.cancel() }
    }

    func finishDrain() {
        if !isDraining, requests.count == 0 { endDrain() }
    }

    func endDrain() {
        guard let promise = drained else { return }
        drained = nil
        isDraining = false
        subscriptions = [:]
        promise.succeed()
    }

    func ping(then: @escaping () -> Void) {
        pongs.append(then)
        connection?.write { $0.writeStaticString("PING\r\n") }
    }
}
