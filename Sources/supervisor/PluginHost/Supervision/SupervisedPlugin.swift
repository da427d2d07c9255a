import Logging
import NIOCore
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts

/// One plugin with a usable manifest: does what its supervision says, and gives it calls.
///
/// `+Launching` starts it or connects to it, `+Ending` notices that it has ended, `+Calls` keeps the calls that wait for it.
///
/// Lives on the event loop. Life: `begin`, calls, `retire`, `isRetired`.
final class SupervisedPlugin {
    /// What a plugin reports to the host.
    enum News: Sendable {
        case ready
        /// It was ready, and is no longer.
        case gone
        /// The state has changed: waiters may check it.
        case changed
        case notification(method: String, JSONObject)
    }

    /// How many calls may wait for a plugin that is not ready for them.
    static let queueLimit = 64

    let manifest: PluginManifest
    let dependencies: PluginDependencies
    let logger: Logger
    let greeting: PluginInitialize.Parameters
    let report: (SupervisedPlugin, News) -> Void

    var supervision: PluginSupervision
    var events: [PluginSupervision.Event] = []
    private var isHandling = false
    /// Rings when something is due, or may be.
    private lazy var alarm = LoopDeadline(dependencies.executor.loop) { [weak self] in self?.rang() }
    private var watch: SocketWatch?

    // What is up. Only launching and ending change it.
    /// From a launch to its end, when nothing of it is left.
    var isLaunched = false
    var launching: Task<Void, Never>?
    private(set) var mustDestroy = false
    var process: ChildProcess?
    var connection: PluginConnection?
    var version: String?

    // What has ended, see `+Ending`.
    /// When one of process and connection has ended: the time at which the other is closed.
    var farewellDue: Duration?
    /// How the process ended.
    var lastExit: String?
    /// Calls of a connection that has ended, until it is known why.
    var orphans: [(call: PluginCall, isIdempotent: Bool)] = []

    // Work for it.
    var queue: [PluginCall] = []
    var recorders: [FrameRecorder] = []
    private(set) var isRetired = false

    init(
        _ manifest: PluginManifest,
        deviceType: String,
        dependencies: PluginDependencies,
        report: @escaping (SupervisedPlugin, News) -> Void
    ) {
        self.manifest = manifest
        self.dependencies = dependencies
        self.report = report
        var logger = dependencies.logger
        logger[metadataKey: "plugin"] = "\(manifest.name)"
        self.logger = logger
        greeting = PluginInitialize.Parameters(
            supervisorVersion: dependencies.supervisorVersion,
            deviceType: deviceType,
            settings: manifest.settings
        )
        supervision = PluginSupervision(
            PluginSupervision.Policy(
                usesSocket: manifest.usesSocket,
                socket: manifest.target,
                isPersistent: manifest.lifecycle == .persistent,
                isEssential: manifest.isEssential,
                startTimeout: manifest.startTimeout,
                idleTimeout: manifest.idleTimeout,
                stopTimeout: manifest.stopTimeout
            ),
            now: dependencies.clock.now,
            random: dependencies.random
        )
    }

    var now: Duration { dependencies.clock.now }
    var state: PluginState { supervision.state }

    /// Calls that the plugin has, and those that wait for it.
    var callCount: Int { (connection?.table.count ?? 0) + queue.count + orphans.count }

    // MARK: Life

    func begin() {
        guard case .socket(let path) = manifest.launch else { return post(.begin(isThere: true)) }
        watch = SocketWatch(
            path: path,
            watcher: dependencies.watcher,
            executor: dependencies.executor,
            logger: logger,
            onChange: { [weak self] in self?.lookAtSocket() }
        )
        watch?.start()
        post(.begin(isThere: SocketLauncher(path: path).isThere))
    }

    private func lookAtSocket() {
        post(SocketLauncher(path: manifest.target).isThere ? .appeared : .vanished)
    }

    /// Ends the plugin for good: calls under way may finish within StopTimeoutSec. It reports `changed` when it has ended.
    func retire() {
        watch?.stop()
        watch = nil
        refuseQueue(HostOperationError(.unavailable, "\(manifest.name) is being stopped", retryAfter: 1))
        post(.retire)
    }

    /// Does not wait for anything: the process ends with the core.
    func destroy() {
        mustDestroy = true
        process?.destroy()
        connection?.close()
    }

    // MARK: Events

    /// Gives the event to the supervision and does what it says. Events that come of that are handled afterwards.
    func post(_ event: PluginSupervision.Event) {
        events.append(event)
        guard !isHandling else { return }
        isHandling = true
        while !events.isEmpty {
            let event = events.removeFirst()
            let (before, time) = (supervision.state, now)
            let effects = supervision.handle(event, at: time)
            if supervision.state != before { log(from: before) }
            for effect in effects { perform(effect) }
            settle()
            if before == .ready, state != .ready, state != .draining || isRetired || event == .retire {
                report(self, .gone)
            }
            if supervision.state != before || isRetired { report(self, .changed) }
        }
        isHandling = false
        arm()
    }

    private func perform(_ effect: PluginSupervision.Effect) {
        switch effect {
        case .launch: launch()
        case .refuse(let reason): refuseQueue(unavailable(reason))
        case .requestShutdown: connection?.shutDown()
        case .closeInput: connection?.closeInput()
        case .close: connection?.close()
        case .terminate: process?.terminate()
        case .kill:
            logger.warning("It did not exit when asked to; killed")
            process?.destroy()
        case .retired:
            isRetired = true
            alarm.cancel()
        }
    }

    /// Posts that a launch has ended, once nothing of it is left.
    private func settle() {
        guard isLaunched, launching == nil, process == nil, connection == nil, orphans.isEmpty else { return }
        isLaunched = false
        version = nil
        events.append(.ended)
    }

    private func log(from before: PluginState) {
        let reason = supervision.reason ?? ""
        switch supervision.state {
        case .tripped: logger.error("Given up for \(PluginSupervision.failureWindow.components.seconds) s: \(reason)")
        case .backingOff:
            let delay = supervision.nextAttempt.map { max($0 - now, .zero) / .milliseconds(1) } ?? 0
            logger.warning("Failed: \(reason); the next attempt in \(Int(delay)) ms at the earliest")
        case .absent: logger.notice("Absent: \(reason)")
        case .ready: logger.info("Ready")
        case .idle, .starting, .draining, .masked, .unmatched, .invalid:
            logger.debug("\(before.rawValue) to \(supervision.state.rawValue) \(reason)")
        }
    }

    // MARK: Time

    /// Makes sure that the alarm rings when the next thing is due.
    func arm() {
        guard !isRetired else { return }
        var due = supervision.nextDue
        func consider(_ other: Duration?) {
            if let other { due = min(due ?? other, other) }
        }
        consider(connection?.table.nextDue)
        consider(farewellDue)
        for call in queue { consider(call.deadline) }
        alarm.moment = due.map { .now() + TimeAmount(saturating: $0 - now) }
        alarm.arm()
    }

    private func rang() {
        let time = now
        if let farewellDue, farewellDue <= time { farewellIsOver() }
        connection?.expire(at: time)
        expireQueue(at: time)
        post(.alarm)
    }

    func unavailable(_ reason: String) -> HostOperationError {
        let delay = supervision.nextAttempt.map { max($0 - now, .zero) / .seconds(1) }
        return HostOperationError(
            .unavailable,
            "\(manifest.name): \(reason)",
            retryAfter: delay.map { Int($0.rounded(.up)) }
        )
    }
}
