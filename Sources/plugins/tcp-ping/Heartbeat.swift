import CLinux
import Glibc
import SupervisorPluginAPI
import Synchronization

/// The heartbeat: a thread that waits in poll(2) for whatever is next, and sleeps while there is nothing to do.
final class Heartbeat: Sendable {
    private struct Shared {
        var machine: HeartbeatMachine
        /// For the thread.
        var effects: [HeartbeatMachine.Effect] = []
        /// Owns the loop.
        var loop: Task<Void, Never>?
    }

    private let settings: HeartbeatSettings
    private let notify: @Sendable (TCPPingState) -> Void
    private let shared: Mutex<Shared>
    private let bell: Bell
    private let resolver: Resolver

    init(_ settings: HeartbeatSettings, notify: @escaping @Sendable (TCPPingState) -> Void) {
        self.settings = settings
        self.notify = notify
        let bell = Bell()
        self.bell = bell
        resolver = Resolver { bell.ring() }
        let isUp = settings.vpnStatus.map { access($0, F_OK) == 0 } ?? false
        shared = Mutex(Shared(machine: HeartbeatMachine(interval: settings.interval, isVPNUp: isUp)))
        let task = Task(executorPreference: BlockingThread(name: "heartbeat")) { self.loop() }
        shared.withLock { $0.loop = task }
    }

    var state: TCPPingState { shared.withLock { $0.machine.state } }

    func enable() -> TCPPingState { handle(.enable) }
    func disable() -> TCPPingState { handle(.disable) }

    @discardableResult
    private func handle(_ event: HeartbeatMachine.Event) -> TCPPingState {
        let (state, isForThread) = shared.withLock { shared in
            var isForThread = false
            for effect in shared.machine.handle(event, at: Self.now) {
                if case .notify(let state) = effect {
                    // Under the lock, so that the last state reported is the last that occurred.
                    notify(state)
                } else {
                    shared.effects.append(effect)
                    isForThread = true
                }
            }
            return (shared.machine.state, isForThread)
        }
        if isForThread { bell.ring() }
        return state
    }

    // MARK: The thread

    private func loop() {
        let vpn = settings.vpnStatus.map { VPNWatch(path: $0) }
        if let vpn {
            handle(.vpn(isUp: vpn.arm()))
            if vpn.descriptor < 0 { PluginLog.warning("cannot watch \(vpn.path): \(String(cString: strerror(errno)))") }
        }
        var attempt: ConnectionAttempt?
        while true {
            for effect in takeEffects() {
                switch effect {
                case .begin(let number):
                    // inotify does not report a mount over its directory.
                    if let vpn, vpn.exists, vpn.arm() {
                        handle(.vpn(isUp: true))
                    } else {
                        attempt = begin(number)
                    }
                case .abandon: attempt = nil
                case .notify: break
                }
            }
            if let finished = advance(&attempt) {
                attempt = nil
                handle(finished)
                continue
            }
            let isVPNEvent = wait(vpn, attempt?.descriptor ?? -1, until: attempt?.wakeUp)
            if let vpn, isVPNEvent || vpn.descriptor < 0 { handle(.vpn(isUp: vpn.arm())) }
            handle(.time)
        }
    }

    private func takeEffects() -> [HeartbeatMachine.Effect] {
        shared.withLock { shared in
            defer { shared.effects = [] }
            return shared.effects
        }
    }

    private func begin(_ number: Int) -> ConnectionAttempt {
        var attempt = ConnectionAttempt(number: number, deadline: Self.now + settings.timeout)
        let numeric = SocketAddress.look(up: settings.target, onlyNumeric: true)
        if numeric.isEmpty { resolver.ask(settings.target) } else { attempt.lookedUp(numeric) }
        return attempt
    }

    /// Returns the result of a finished attempt.
    private func advance(_ attempt: inout ConnectionAttempt?) -> HeartbeatMachine.Event? {
        guard var current = attempt.take() else { return nil }
        if current.isLookingUp, let answer = resolver.take() { current.lookedUp(answer) }
        let number = current.number
        switch current.advance(at: Self.now) {
        case .finished(let isConnected):
            return .finished(attempt: number, isConnected: isConnected)
        case .waits:
            attempt = consume current
            return nil
        }
    }

    /// Waits for the bell, the VPN, the socket or the time. Returns whether the VPN's directory has changed.
    private func wait(_ vpn: VPNWatch?, _ socket: Int32, until deadline: Duration?) -> Bool {
        var end = shared.withLock { $0.machine.nextBegin }
        if let deadline { end = min(end ?? deadline, deadline) }
        let now = Self.now
        // Without inotify the file has to be polled.
        if let vpn, vpn.descriptor < 0 { end = min(end ?? now + settings.interval, now + settings.interval) }
        // One that is not negative would be found by poll; an error on a socket counts as well.
        var descriptors = [
            pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: vpn?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(POLLOUT), revents: 0),
        ]
        let timeout = end.map { Self.milliseconds($0 - now) } ?? -1
        guard poll(&descriptors, nfds_t(descriptors.count), timeout) > 0 else { return false }
        if descriptors[0].revents != 0 { bell.silence() }
        return descriptors[1].revents != 0
    }

    /// Rounded up, so that nothing wakes a moment too early.
    private static func milliseconds(_ duration: Duration) -> Int32 {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// CLOCK_MONOTONIC.
    private static var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// Wakes a thread that waits in poll(2): an eventfd(2), for the life of the process.
private struct Bell: Sendable {
    let descriptor: Int32

    init() {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
    }

    func ring() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    func silence() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
