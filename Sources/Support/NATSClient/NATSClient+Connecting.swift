import JSON
import LinuxSupport
import NATSKeys
import NIOCore

extension NATSClient {
    /// A connection that lasted this long was a good one: the next failure is the first again.
    private static let goodAfter = TimeAmount.seconds(10)

    /// Connects, and connects again for ever.
    public func start() {
        guard case .idle = phase else { return }
        attempt()
    }

    /// Ends the connection once what is written has been sent, and connects again at once, with the credentials that
    /// `login` has then. Requests that are open end as `disconnected`.
    public func reconnect() {
        switch phase {
        case .idle, .closed, .asking: return
        case .waiting: break
        case .loggingIn(let connection, _), .connected(let connection): _ = connection.finish()
        }
        leave(NATSError(.disconnected, "the client reconnects"), phase: .waiting)
        if case .waiting = phase { attempt() }
    }

    /// Sends what is written, closes the connection, and that for good.
    public func close() {
        var closing: EventLoopFuture<Void>?
        switch phase {
        case .closed: return
        case .loggingIn(let connection, _), .connected(let connection): closing = connection.finish()
        default: break
        }
        leave(NATSError(.closed, "the client was closed"), phase: .closed)
        subscriptions = [:]
        guard let closing else { return onEvent(.closed) }
        closing.assumeIsolated().whenComplete { _ in self.onEvent(.closed) }
    }

    /// Puts an end to all that depends on the connection.
    private func leave(_ error: NATSError, phase next: Phase) {
        phase = next
        timer?.cancel()
        timer = nil
        info = nil
        pongs = []
        failRequests(error)
        endDrain()
    }

    private func attempt() {
        timer?.cancel()
        attempts += 1
        let attempt = attempts
        phase = .asking(attempt)
        login(lastError).hop(to: loop).assumeIsolated().whenComplete { result in
            guard case .asking(attempt) = self.phase else { return }
            switch result {
            case .success(let login): self.dial(login)
            case .failure(let error):
                self.failed(error as? NATSError ?? NATSError(.noCredentials, "no credentials: \(error)"))
            }
        }
    }

    private func dial(_ login: NATSLogin) {
        guard !login.servers.isEmpty else {
            return failed(NATSError(.noCredentials, "no server is known"))
        }
        let server = login.servers[(attempts - 1) % login.servers.count]
        let connection = Connection(server: server, client: self)
        phase = .loggingIn(connection, login)
        let limit = configuration.loginDeadline
        timer = loop.assumeIsolated().scheduleTask(in: limit) {
            connection.end(NATSError(.loginTimedOut, "\(server) did not complete the login in time"))
        }
        Dialer(configuration: configuration, loop: loop).dial(connection)
    }

    func connectionEnded(_ connection: Connection, _ error: NATSError) {
        switch phase {
        case .loggingIn(let current, _) where current === connection: break
        case .connected(let current) where current === connection:
            if .now() - connectedSince >= Self.goodAfter { failures = 0 }
        default: return
        }
        failed(error)
    }

    private func failed(_ error: NATSError) {
        lastError = error
        failures += 1
        leave(
            NATSError(.disconnected, "the connection to the bus ended before the answer came: \(error)"),
            phase: .waiting
        )
        // What the requests' owners do may have closed the client.
        guard case .waiting = phase else { return }
        var wait = configuration.firstBackOff.nanoseconds
        for _ in 1..<min(max(failures, 1), 40) where wait < configuration.longestBackOff.nanoseconds { wait *= 2 }
        wait = max(min(wait, configuration.longestBackOff.nanoseconds), 2)
        let delay = TimeAmount.nanoseconds(wait / 2 + .random(in: 0...wait / 2))
        timer = loop.assumeIsolated().scheduleTask(in: delay) { self.attempt() }
        onEvent(.failed(error, retryAfter: delay))
    }

    // MARK: What the server sends

    /// - Parameter remainder: How many bytes follow the frame in what was read.
    func received(_ frame: ServerFrame, from connection: Connection, remainder: Int) throws(NATSError) {
        switch frame {
        case .message(let message): received(message)
        case .ping:
            guard connection.backlog <= configuration.outgoingLimit else {
                throw NATSError(.violation, "\(connection.server) asks without end and does not read the answers")
            }
            connection.write { $0.writeStaticString("PONG\r\n") }
        case .pong: receivedPong(connection)
        case .info(let text): try received(NATSServerInfo(parsing: text.readableBytesView), connection, remainder)
        case .error(let text): received(error: text, connection)
        case .ok: break
        }
    }

    private func received(_ message: ServerFrame.Message) {
        if message.subscription == Self.inboxSubscription { return receivedReply(message) }
        let id = message.subscription
        guard let subscription = subscriptions[id] else { return }
        if let left = subscription.left {
            if left == 1 { subscriptions[id] = nil } else { subscriptions[id]?.left = left - 1 }
        }
        subscription.receive(
            NATSMessage(
                subject: String(buffer: message.subject),
                reply: message.reply.map { String(buffer: $0) },
                headers: NATSHeaders(block: message.headers),
                payload: message.payload
            )
        )
    }

    func readComplete() {
        pump()
        finishDrain()
    }

    private func received(_ info: NATSServerInfo, _ connection: Connection, _ remainder: Int) throws(NATSError) {
        guard case .loggingIn(_, let login) = phase, self.info == nil else {
            if info.isInLameDuckMode, self.info?.isInLameDuckMode == false { onEvent(.lameDuck) }
            self.info = info
            return
        }
        self.info = info
        let server = connection.server
        if server.scheme == .tls || server.scheme == .nats && info.requiresTLS, let channel = connection.channel {
            guard info.offersTLS else { throw NATSError(.tls, "\(server) offers no TLS") }
            // What follows INFO in clear text was not sent by the server that the certificate names.
            guard remainder == 0 else { throw NATSError(.violation, "\(server) sent something between INFO and TLS") }
            do {
                try Dialer(configuration: configuration, loop: loop).startTLS(on: channel, server)
            } catch {
                throw NATSError(describing: error, server: server)
            }
        }
        let text = JSONValue.object(try connect(login, info)).encoded()
        connection.write { buffer in
            buffer.writeStaticString("CONNECT ")
            buffer.writeBytes(text)
            buffer.writeStaticString("\r\n")
            if configuration.makesRequests { buffer.writeString("SUB \(inbox)> \(Self.inboxSubscription)\r\n") }
            for (id, subscription) in subscriptions.sorted(by: { $0.key < $1.key }) {
                Self.write(subscription, id, to: &buffer)
            }
            buffer.writeStaticString("PING\r\n")
        }
    }

    private func connect(_ login: NATSLogin, _ info: NATSServerInfo) throws(NATSError) -> JSONObject {
        var options: JSONObject = [
            "verbose": false, "pedantic": false, "protocol": 1, "headers": true, "no_responders": true, "echo": false,
            "lang": "swift", "version": "1", "name": .string(configuration.name),
        ]
        guard let key = login.key else { return options }
        guard let nonce = info.nonce else {
            throw NATSError(.authorization, "the server asks for no signature, so it does not check who connects")
        }
        if let jwt = login.jwt { options["jwt"] = .string(jwt) } else { options["nkey"] = .string(key.publicKey) }
        options["sig"] = .string(NATSToken.encode(key.sign(nonce.utf8)))
        return options
    }

    private func receivedPong(_ connection: Connection) {
        guard case .loggingIn = phase, let info else {
            if !pongs.isEmpty { pongs.removeFirst()() }
            return
        }
        phase = .connected(connection)
        connectedSince = .now()
        lastError = nil
        timer?.cancel()
        timer = nil
        watch(connection)
        onEvent(.connected(connection.server, info))
    }

    private func received(error text: String, _ connection: Connection) {
        let lowered = String(decoding: text.utf8.map { $0 | ($0 &- 0x41 < 26 ? 0x20 : 0) }, as: UTF8.self)
        func has(_ words: String) -> Bool { lowered.hasBytes(of: words) }
        // These leave the connection open.
        if has("permissions violation") || has("invalid subject") || has("maximum subscriptions exceeded") {
            return onEvent(.refused(text))
        }
        let isAuthorization = ["authorization", "authentication", "account", "credentials"].contains(where: has)
        connection.end(
            NATSError(
                isAuthorization ? .authorization : .disconnected,
                "\(connection.server) closed the connection: \(text)"
            )
        )
    }

    /// Looks at the silence of the server: asks after some time, gives up after more.
    private func watch(_ connection: Connection) {
        let (ask, stale) = (configuration.pingAfter, configuration.staleAfter)
        let silence = NIODeadline.now() - connection.lastRead
        if silence >= stale {
            return connection.end(NATSError(.stale, "\(connection.server) was silent for too long"))
        }
        if silence >= ask, pongs.isEmpty { ping {} }
        let next = silence >= ask ? stale - silence : min(ask, stale) - silence
        timer = loop.assumeIsolated().scheduleTask(in: next) { self.watch(connection) }
    }
}
