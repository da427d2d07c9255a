import Logging
import NIOCore
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts

/// What every plugin of the host stands on.
struct HostSurroundings: Sendable {
    var executor: LoopExecutor
    var clock: any SupervisorClock
    var worker: any BlockingWorker
    var watcher: any DirectoryWatcher
    var logger: Logger
    var supervisorVersion: String
    /// For children; nil leaves the core's own.
    var descriptorLimit: UInt64?
    /// 0 up to, but not including 1.
    var random: @Sendable () -> Double
}

/// One plugin with a usable manifest: does what its supervision says, and gives it calls.
///
/// Lives on the event loop. Life: `begin`, calls, `retire`, `isRetired`.
final class HostedPlugin {
    /// What a plugin tells the host.
    enum News: Sendable {
        case ready
        /// It was ready, and is not.
        case gone
        /// Whoever waits for a state may look.
        case changed
        case notification(method: String, JSONObject)
    }

    /// How many calls may wait for a plugin that is not ready for them.
    static let queueLimit = 64
    /// Between the end of a process and that of its connection, either way round, what is left is still heard.
    private static let farewell: Duration = .milliseconds(200)

    let manifest: PluginManifest
    let surroundings: HostSurroundings
    let logger: Logger
    private let greeting: PluginInitialize.Parameters
    private let tell: (HostedPlugin, News) -> Void

    var supervision: PluginSupervision
    private var events: [PluginSupervision.Event] = []
    private var isHandling = false
    private let alarm: LoopAlarm
    private var watch: SocketWatch?

    // What is up.
    private var launching: Task<Void, Never>?
    private var mustDestroy = false
    private(set) var process: ChildProcess?
    var connection: PluginConnection?
    /// Process or connection is gone; the other one is given until then.
    private var farewellDue: Duration?
    private var lastExit: String?
    /// Calls of a connection that is gone, until it is known why.
    private var orphans: [(call: PluginCall, isIdempotent: Bool)] = []

    // Who wants something.
    var queue: [PluginCall] = []
    var recorders: [FrameRecorder] = []
    private(set) var isRetired = false
    private(set) var version: String?

    init(
        _ manifest: PluginManifest,
        deviceType: String,
        surroundings: HostSurroundings,
        tell: @escaping (HostedPlugin, News) -> Void
    ) {
        self.manifest = manifest
        self.surroundings = surroundings
        self.tell = tell
        var logger = surroundings.logger
        logger[metadataKey: "plugin"] = "\(manifest.name)"
        self.logger = logger
        greeting = PluginInitialize.Parameters(
            supervisorVersion: surroundings.supervisorVersion,
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
            now: surroundings.clock.now,
            random: surroundings.random
        )
        alarm = LoopAlarm(clock: surroundings.clock, executor: surroundings.executor)
    }

    var now: Duration { surroundings.clock.now }
    var state: PluginState { supervision.state }

    /// Calls that the plugin has, and those that wait for it.
    var callCount: Int { (connection?.table.count ?? 0) + queue.count + orphans.count }

    // MARK: Life

    func begin() {
        alarm.onRing { [weak self] in self?.rang() }
        guard case .socket(let path) = manifest.launch else { return post(.begin(isThere: true)) }
        watch = SocketWatch(
            path: path,
            watcher: surroundings.watcher,
            executor: surroundings.executor,
            logger: logger,
            onChange: { [weak self] in self?.lookAtSocket() }
        )
        watch?.start()
        post(.begin(isThere: SocketLauncher(path: path).isThere))
    }

    private func lookAtSocket() {
        post(SocketLauncher(path: manifest.target).isThere ? .appeared : .vanished)
    }

    /// Ends the plugin for good: calls under way may finish within StopTimeoutSec. `changed` tells when it has.
    func retire() {
        watch?.stop()
        watch = nil
        refuseQueue(HostOperationError(.unavailable, "\(manifest.name) is being ended", retryAfter: 1))
        post(.retire)
    }

    /// Does not wait for anything: the process goes with the core.
    func destroy() {
        mustDestroy = true
        process?.destroy()
        connection?.close()
    }

    // MARK: Events

    /// Tells the supervision, and does what it says. What happens by that is told afterwards.
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
                tell(self, .gone)
            }
            if supervision.state != before || isRetired { tell(self, .changed) }
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
            logger.warning("It did not end when it was told to; killed")
            process?.destroy()
        case .retired:
            isRetired = true
            alarm.cancel()
        }
    }

    /// Tells the supervision when nothing is left of a launch.
    private func settle() {
        guard isLaunched, launching == nil, process == nil, connection == nil, orphans.isEmpty else { return }
        isLaunched = false
        version = nil
        events.append(.ended)
    }

    /// From a launch to its end.
    private var isLaunched = false

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

    /// Makes sure that the alarm rings for whatever is due next.
    func arm() {
        guard !isRetired else { return }
        var due = supervision.nextDue
        func consider(_ other: Duration?) {
            if let other { due = min(due ?? other, other) }
        }
        consider(connection?.table.nextDue)
        consider(farewellDue)
        for call in queue { consider(call.deadline) }
        if let due { alarm.set(noLaterThan: due) }
    }

    private func rang() {
        let time = now
        if let farewellDue, farewellDue <= time { farewellIsOver() }
        connection?.expire(at: time)
        expireQueue(at: time)
        post(.alarm)
    }

    // MARK: Launching

    private func launch() {
        isLaunched = true
        lastExit = nil
        switch manifest.launch {
        case .socket(let path):
            switch SocketLauncher(path: path).connect() {
            case .connected(let descriptor): talk(over: descriptor)
            case .absent(let reason, let isRefused): events.append(.missing(reason, isRefused: isRefused))
            case .failed(let reason): events.append(.failed(reason))
            }
        case .executable(let path, let arguments):
            let launcher = ExecLauncher(
                path: path,
                arguments: arguments,
                descriptorLimit: surroundings.descriptorLimit
            )
            let (bound, worker) = (LoopBound(self, surroundings.executor), surroundings.worker)
            launching = Task(executorPreference: surroundings.executor) {
                let outcome: Result<ExecLauncher.Child, LaunchFailure>
                do {
                    outcome = try await worker.run { Result { () throws(LaunchFailure) in try launcher.launch() } }
                } catch {
                    outcome = .failure(LaunchFailure(description: "cannot start \(path): \(error)"))
                }
                bound.value.launched(outcome)
            }
        }
    }

    private func launched(_ outcome: Result<ExecLauncher.Child, LaunchFailure>) {
        launching = nil
        switch outcome {
        case .failure(let failure):
            post(.failed(failure.description))
        case .success(let child):
            process = ChildProcess(pid: child.pid)
            DiagnosticReader.start(
                child.diagnostics,
                on: surroundings.executor.loop,
                logger: logger,
                requestName: { [weak self] id in
                    Int64(id).flatMap { self?.connection?.table[$0] }?.requestID
                }
            )
            if mustDestroy { process?.destroy() }
            talk(over: child.socket)
            // Nobody waits for it any more.
            if state != .starting {
                connection?.close()
                process?.destroy()
            }
            reap()
        }
    }

    private func talk(over descriptor: Int32) {
        connection = PluginConnection.open(
            descriptor,
            manifest: manifest,
            greeting: greeting,
            clock: surroundings.clock,
            on: surroundings.executor.loop,
            delegate: self
        )
    }

    // MARK: The end of a process or a connection

    /// To be called when a child may have ended.
    func reap() {
        guard let process, let exit = process.reap() else { return }
        self.process = nil
        lastExit = exit
        if connection == nil { lost(exit) } else { waitForTheOther() }
    }

    private func waitForTheOther() {
        farewellDue = now + Self.farewell
        arm()
    }

    private func farewellIsOver() {
        farewellDue = nil
        if let connection {
            connection.close()
        } else {
            lost("closed its standard output")
        }
    }

    /// Process, connection or both are gone; `reason` tells whoever still waits for an answer.
    private func lost(_ reason: String) {
        farewellDue = nil
        settleOrphans(reason)
        post(.failed(reason))
        if !queue.isEmpty { post(.demanded) }
    }

    /// Calls that will not be answered on their connection: each has its second chance, or an error.
    private func settleOrphans(_ reason: String) {
        let orphans = orphans
        self.orphans = []
        for (call, isIdempotent) in orphans.reversed() {
            if isIdempotent, call.attempts < 2, !isRetired, supervision.state != .draining, now < call.deadline {
                queue.insert(call, at: 0)
            } else {
                var error = unavailable("\(reason) during \(call.operation)")
                error.isOutcomeUnknown = !isIdempotent
                call.fail(error)
            }
        }
    }

    private func takeOrphans(of connection: PluginConnection) {
        orphans += connection.takeCalls().map { ($0, connection.isIdempotent($0)) }
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

extension HostedPlugin: PluginConnectionDelegate {
    func connectionIsReady(_ connection: PluginConnection) {
        version = connection.version
        post(.connected)
        tell(self, .ready)
        pump()
    }

    func connectionHasRoom(_ connection: PluginConnection) {
        pump()
    }

    func connection(_ connection: PluginConnection, notified method: String, _ parameters: JSONObject) {
        tell(self, .notification(method: method, parameters))
    }

    func connectionIsShutDown(_ connection: PluginConnection) {
        post(.drained)
    }

    func connection(_ connection: PluginConnection, failedBecause reason: String) {
        guard connection === self.connection else { return }
        takeOrphans(of: connection)
        self.connection = nil
        lost(reason)
    }

    func connectionIsClosed(_ connection: PluginConnection) {
        guard connection === self.connection else { return }
        takeOrphans(of: connection)
        self.connection = nil
        // Its end may be seen already, though nobody has told of it.
        if process != nil { reap() }
        switch (process, lastExit) {
        case (nil, let exit?) where !manifest.usesSocket: lost(exit)
        case (nil, _): lost("closed the connection")
        case (_?, _): waitForTheOther()
        }
    }
}
