import CLinux
import Glibc
import Logging
import NIOCore
import NIOPosix
import SupervisorEventLoop

/// The listening sockets of the API: one per interface, opened and closed as interfaces and settings come and go.
///
/// What cannot be opened is tried again when something changes and at a steady interval; the others work meanwhile.
/// On the event loop only.
final class APIListeners {
    private enum Listener {
        case opening(ListenPlan.Target)
        case open(ListenPlan.Target, any Channel)
        case closing
        /// With why it could not be opened.
        case failed(String)
    }

    private let entryPoint: EntryPoint
    private let port: UInt16
    private var interfaces: [String]
    private var present: [NetworkInterface] = []
    private var engineBridge: String?
    private var listeners: [String: Listener] = [:]
    private var retry: Scheduled<Void>?
    private var isStopped = false
    private var whenSettled: [() -> Void] = []

    init(entryPoint: EntryPoint, settings: HTTPServerSettings) {
        self.entryPoint = entryPoint
        port = settings.port
        interfaces = settings.interfaces
    }

    private var state: ServerState { entryPoint.state }

    /// The address of every listener, by the name of its interface.
    var addresses: [String: SocketAddress] {
        listeners.compactMapValues { listener in
            if case .open(_, let channel) = listener { channel.localAddress } else { nil }
        }
    }

    func update(engineBridge: String?) {
        self.engineBridge = engineBridge
        reconcile()
    }

    func update(interfaces: [String]? = nil, present: [NetworkInterface]? = nil) {
        self.interfaces = interfaces ?? self.interfaces
        self.present = present ?? self.present
        reconcile()
    }

    /// Calls `body` when every listener that is wanted has been opened or has failed.
    func whenSettled(_ body: @escaping () -> Void) {
        whenSettled.append(body)
        settle()
    }

    /// Closes all and opens none again.
    func stop() {
        isStopped = true
        retry?.cancel()
        retry = nil
        reconcile()
    }

    // MARK: Opening and closing

    private func reconcile() {
        let wanted =
            isStopped ? [] : ListenPlan.targets(interfaces: interfaces, present: present, engineBridge: engineBridge)
        // Closing one may come back here before the next one's turn: each is looked up when it is.
        for name in Array(listeners.keys) {
            guard let listener = listeners[name] else { continue }
            switch listener {
            case .open(let target, let channel) where !wanted.contains(target): close(target, channel)
            case .failed where !wanted.contains { $0.name == name }: listeners[name] = nil
            case .open, .opening, .closing, .failed: break
            }
        }
        // A listener for everything and one for an interface cannot coexist: first those that are not wanted are
        // closed.
        let isClosing = listeners.values.contains { if case .closing = $0 { true } else { false } }
        if !isClosing {
            for target in wanted { openUnlessUnderWay(target) }
        }
        settle()
    }

    private func openUnlessUnderWay(_ target: ListenPlan.Target) {
        switch listeners[target.name] {
        case nil: open(target, formerFailure: nil)
        case .failed(let reason): open(target, formerFailure: reason)
        case .open, .opening, .closing: break
        }
    }

    private func close(_ target: ListenPlan.Target, _ channel: any Channel) {
        listeners[target.name] = .closing
        state.logger.info("closing the API on \(target.name)")
        let closed = channel.close()
        entryPoint.finishAll(of: target.name)
        closed.assumeIsolated().whenComplete { [self] _ in
            listeners[target.name] = nil
            reconcile()
        }
    }

    private func open(_ target: ListenPlan.Target, formerFailure: String?) {
        listeners[target.name] = .opening(target)
        bind(target).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel):
                listeners[target.name] = .open(target, channel)
                state.logger.info("API on \(target.name), port \(channel.localAddress?.port ?? Int(port))")
            case .failure(let error):
                let reason = "\(error)"
                listeners[target.name] = .failed(reason)
                if reason != formerFailure { state.logger.error("no API on \(target.name): \(reason)") }
                retryLater()
            }
            // What is wanted may have changed meanwhile. A failure waits for its retry.
            if case .success = result { reconcile() } else { settle() }
        }
    }

    private func retryLater() {
        guard retry == nil, !isStopped else { return }
        retry = state.loop.assumeIsolated().scheduleTask(in: state.limits.listenRetryTime) { [weak self] in
            guard let self else { return }
            self.retry = nil
            self.reconcile()
        }
    }

    private func settle() {
        let isMoving = listeners.values.contains { listener in
            switch listener {
            case .opening, .closing: true
            case .open, .failed: false
            }
        }
        guard !isMoving else { return }
        let waiters = whenSettled
        whenSettled = []
        for waiter in waiters { waiter() }
    }

    // MARK: Sockets

    /// [::] takes IPv4 too; where the kernel has no IPv6, 0.0.0.0.
    private func bind(_ target: ListenPlan.Target) -> EventLoopFuture<any Channel> {
        bind(target, to: "::").assumeIsolated()
            .flatMapError { [self] error in
                guard let error = error as? IOError, [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) else {
                    return state.loop.makeFailedFuture(error)
                }
                return bind(target, to: "0.0.0.0")
            }
            .nonisolated()
    }

    private func bind(_ target: ListenPlan.Target, to address: String) -> EventLoopFuture<any Channel> {
        let socketAddress: SocketAddress
        do {
            socketAddress = try SocketAddress(ipAddress: address, port: Int(port))
        } catch {
            return state.loop.makeFailedFuture(error)
        }
        var bootstrap = ServerBootstrap(for: entryPoint) { try $0.admit($1, listener: target.name) }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(.so_sndbuf), value: SocketOptionValue(state.limits.sendBuffer))
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        if case .v6 = socketAddress {
            bootstrap = bootstrap.serverChannelOption(
                ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only),
                value: 0
            )
        }
        if let index = target.index {
            let option = ChannelOptions.socket(SocketOptionLevel(SOL_SOCKET), SocketOptionName(CLINUX_SO_BINDTOIFINDEX))
            bootstrap = bootstrap.serverChannelOption(option, value: SocketOptionValue(index))
        }
        return bootstrap.bind(to: socketAddress)
    }
}
