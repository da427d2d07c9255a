import JSON
import NATSClient
import NATSKeys
import NIOCore
import NIOSSL
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts

/// The connection to the bus: logs in with credentials of its own, renews them, and hands commands to the tunnel. On the event
/// loop only.
final class BusSession {
    /// What it reports to its owner.
    struct Callbacks {
        /// Commands can arrive, or cannot; with the reason.
        var connected: (Bool, String?) -> Void
        /// The target has changed.
        var poked: () -> Void
    }

    private struct Held {
        var login: NATSLogin
        var renewAt: Duration
    }

    private let identity: Identity
    private let cloud: CloudClient
    private let tunnel: Tunnel
    private let executor: LoopExecutor
    private let clock: any SupervisorClock
    private let callbacks: Callbacks
    private var client: NATSClient?
    private var held: Held?
    private var renewal: Scheduled<Void>?
    private var isClosed = false

    init(
        identity: Identity,
        cloud: CloudClient,
        trust: NIOSSLContext,
        tunnel: Tunnel,
        executor: LoopExecutor,
        clock: any SupervisorClock,
        callbacks: Callbacks
    ) throws(NATSError) {
        self.identity = identity
        self.cloud = cloud
        self.tunnel = tunnel
        self.executor = executor
        self.clock = clock
        self.callbacks = callbacks
        var configuration = NATSClientConfiguration(name: "device \(identity.uuid)")
        configuration.tls = trust
        configuration.makesRequests = false
        // It must be sure what is connected again within the minute; the load on the service is spread by the jitter.
        configuration.longestBackOff = .seconds(60)
        let client = NATSClient(
            loop: executor.loop,
            configuration: configuration,
            login: { [weak self, loop = executor.loop] last in
                self?.login(after: last) ?? loop.makeFailedFuture(CloudError(.cancelled, "the device has left"))
            },
            onEvent: { [weak self] in self?.handle($0) }
        )
        self.client = client
        try subscribe(client)
        client.start()
    }

    func close() {
        isClosed = true
        renewal?.cancel()
        client?.close()
        client = nil
    }

    private func subscribe(_ client: NATSClient) throws(NATSError) {
        let prefix = "sup.v1.dev.\(identity.uuid)"
        _ = try client.subscribe("\(prefix).call") { [weak self] message in self?.receive(message) }
        _ = try client.subscribe("\(prefix).cancel") { [weak self] message in
            self?.tunnel.cancel(message.payload.readableBytesView)
        }
        _ = try client.subscribe("\(prefix).poke") { [weak self] _ in self?.callbacks.poked() }
    }

    private func receive(_ message: NATSMessage) {
        // Without a place for the answer it is no command.
        guard let reply = message.reply else { return }
        tunnel.receive(message.payload.readableBytesView, version: message.headers["Sup-Version"]) {
            [weak self] answer in
            self?.send(answer, to: reply)
        }
    }

    private func send(_ answer: CommandAnswer, to reply: String) {
        guard let client else { return }
        do throws(NATSError) {
            var headers = NATSHeaders()
            try headers.add("Sup-Version", "1")
            try client.publish(reply, headers: headers, payload: ByteBuffer(bytes: answer.bytes))
        } catch {
            PluginLog.warning("An answer was not sent: \(error)")
        }
    }

    // MARK: Logging in

    private func login(after last: NATSError?) -> EventLoopFuture<NATSLogin> {
        // Credentials that were refused are not shown again.
        if last?.code == .authorization { held = nil }
        if let held, clock.now < held.renewAt { return executor.loop.makeSucceededFuture(held.login) }
        let promise = executor.loop.makePromise(of: NATSLogin.self)
        let bound = LoopBound(self, executor)
        Task(executorPreference: executor) {
            do throws(CloudError) {
                promise.succeed(try await bound.value.renew())
            } catch {
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    private func renew() async throws(CloudError) -> NATSLogin {
        let key = NKey.generate(.user)
        let credentials: BusCredentials
        do throws(CloudError) {
            credentials = try await BusCredentials.request(
                publicKey: key.publicKey,
                identity: identity,
                client: cloud,
                clock: clock
            )
        } catch {
            callbacks.connected(false, error.description)
            throw error
        }
        let servers: [NATSServer]
        do throws(NATSError) {
            servers = try credentials.servers.map { text throws(NATSError) in try NATSServer(parsing: text) }
        } catch {
            throw CloudError(
                .malformedAnswer,
                "\(cloud.server) named a server of the bus that cannot be used: \(error)"
            )
        }
        // What is said in the clear could be read and changed on the way.
        guard cloud.server.isPlain || servers.allSatisfy({ $0.scheme == .tls || $0.scheme == .wss }) else {
            throw CloudError(.malformedAnswer, "\(cloud.server) named a server of the bus without TLS; it is not used")
        }
        tunnel.serviceClock.set(serviceTime: credentials.time, sent: credentials.sent, received: credentials.received)
        let login = NATSLogin(servers: servers, jwt: credentials.jwt, key: key)
        held = Held(login: login, renewAt: credentials.received + credentials.renewAfter)
        renewLater(credentials.renewAfter)
        return login
    }

    private func renewLater(_ time: Duration) {
        renewal?.cancel()
        renewal = executor.loop.assumeIsolated().scheduleTask(in: TimeAmount(saturating: time)) { [weak self] in
            self?.held = nil
            self?.client?.reconnect()
        }
    }

    private func handle(_ event: NATSEvent) {
        guard !isClosed else { return }
        switch event {
        case .connected(let server, _):
            PluginLog.notice("Connected to the bus at \(server)")
            callbacks.connected(true, nil)
        case .failed(let error, let delay):
            PluginLog.info("No connection to the bus, trying again in \(delay.nanoseconds / 1_000_000) ms: \(error)")
            callbacks.connected(false, error.description)
        case .refused(let text): PluginLog.warning("The bus refused something: \(text)")
        case .lameDuck, .closed: break
        }
    }
}
