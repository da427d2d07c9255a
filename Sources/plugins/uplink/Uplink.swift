import Glibc
import JSON
import LinuxSupport
import NIOCore
import NIOSSL
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts

/// Registers the device, keeps it connected, and serves the supervisor. Lives on the event loop.
actor Uplink {
    nonisolated let executor: LoopExecutor
    nonisolated let settings: UplinkSettings
    nonisolated let clock: LoopClock
    private let worker = TransientWorker(name: "state", limit: 4)

    private var root: Task<Void, Never>?
    private var service: PluginService?
    private(set) var identity: Identity?
    private var identityFile: IdentityFile
    /// What the supervisor has reported last; nil before it has.
    private(set) var report: CloudReport.Parameters?
    private(set) var cloud: CloudClient?
    private var trust: NIOSSLContext?
    private var tunnel: Tunnel?
    private var bus: BusSession?
    private var state: UplinkState
    private let wakeUp: Signal
    let pollSignal: Signal
    private var polling: Task<Void, Never>?
    let reportSignal: Signal
    private var reporting: Task<Void, Never>?
    /// Callers of cloud.refresh.
    var refreshers: [CheckedContinuation<Result<Bool, PluginError>, Never>] = []
    /// Callers of uplink.register.
    private var registrars: [CheckedContinuation<Result<UplinkState, PluginError>, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(settings: UplinkSettings, executor: LoopExecutor) {
        self.settings = settings
        self.executor = executor
        clock = LoopClock(loop: executor.loop)
        identityFile = IdentityFile(directory: settings.stateDirectory)
        state = UplinkState(server: settings.server?.description, isRegistered: false, isConnected: false)
        wakeUp = Signal(executor.loop)
        pollSignal = Signal(executor.loop)
        reportSignal = Signal(executor.loop)
    }

    /// Starts the root task. Call once, on the loop.
    nonisolated func begin(_ listening: Int32) {
        assumeIsolated { uplink in
            uplink.root = Task(executorPreference: executor) { await self.run(listening) }
        }
    }

    private func run(_ listening: Int32) async {
        do {
            try await load()
            if let server = settings.server {
                let trust = try CloudTrust.context(authorities: settings.authorities)
                self.trust = trust
                cloud = CloudClient(server: server, trust: trust, loop: executor.loop)
            }
            let service = PluginService(executor: executor, operations: operations) { [weak self] in
                self?.assumeIsolated { $0.changed }
            }
            self.service = service
            _ = try await PluginListener.serve(listening, service, on: executor.loop).get()
        } catch {
            PluginLog.error("\(error)")
            exit(error is SettingsError ? 78 : 1)
        }
        guard cloud != nil else {
            PluginLog.notice("No remote service is configured ([Cloud] Server=)")
            await wakeUp.wait()
            return
        }
        await maintain()
    }

    private func load() async throws {
        let (file, directory) = (identityFile, settings.stateDirectory)
        let loaded: (identity: Identity?, done: [String], writer: JournalWriter) = try await worker.run {
            try FileSystem.makeDirectories(directory, mode: 0o700)
            let journal = CommandJournal(directory: directory)
            let done = try journal.load()
            return (try file.load(), done, JournalWriter(journal))
        }
        tunnel = Tunnel(
            core: CoreClient(socket: settings.apiSocket, loop: executor.loop),
            journal: loaded.writer,
            done: loaded.done,
            executor: executor,
            clock: clock
        )
        guard let identity = loaded.identity else { return }
        if let server = settings.server, identity.server != server.description {
            PluginLog.notice("The device is known to \(identity.server); it registers with \(server) now")
            return
        }
        PluginLog.redact(identity.deviceKey)
        self.identity = identity
        take(identity)
    }

    private func take(_ identity: Identity) {
        state.uuid = identity.uuid
        state.deviceID = identity.deviceID
        state.isRegistered = identity.isRegistered
        state.isDisconnected = identity.isDisconnected
    }

    // MARK: Registered and connected

    /// For ever: registers, then keeps the connection, until an operator disconnects the device.
    private func maintain() async {
        var backOff = BackOff(first: .seconds(2), limit: .seconds(300))
        while true {
            if identity?.isDisconnected == true {
                leaveBus()
                answerRegistrars(.failure(PluginError(.unavailable, "the device is disconnected")))
                await wakeUp.wait()
            } else if let identity, identity.isRegistered {
                backOff.succeeded()
                joinBus(identity)
                beginPolling()
                beginReporting()
                answerRegistrars(.success(state))
                await wakeUp.wait()
            } else if report == nil, identity == nil {
                // The supervisor knows the uuid, and connects when it runs.
                await wakeUp.wait()
            } else {
                do throws(CloudError) {
                    try await register()
                } catch {
                    let delay = backOff.failed(retryAfter: error.retryAfter)
                    PluginLog.warning("Not registered, trying again in \(delay.components.seconds + 1) s: \(error)")
                    failed(error.description)
                    answerRegistrars(.failure(PluginError(.unavailable, error.description)))
                    await wakeUp.wait(upTo: delay)
                }
            }
        }
    }

    private func register() async throws(CloudError) {
        guard let cloud, let server = settings.server else { return }
        var identity: Identity
        if let known = self.identity {
            identity = known
        } else if let uuid = report?.uuid {
            identity = Identity(server: server.description, uuid: uuid)
            PluginLog.redact(identity.deviceKey)
            // The service must not learn a key that this device could lose.
            try await save(identity)
        } else {
            throw CloudError(.local, "the supervisor has not said who the device is yet")
        }
        let registration = Registration(
            client: cloud,
            settings: settings,
            deviceType: report?.deviceType ?? "generic",
            state: report?.state ?? [:]
        )
        identity.deviceID = try await registration.register(identity)
        try await save(identity)
        PluginLog.notice("Registered with \(server) as device \(identity.deviceID ?? 0), uuid \(identity.uuid)")
        publish { $0.error = nil }
    }

    private func save(_ identity: Identity) async throws(CloudError) {
        let file = identityFile
        do {
            try await worker.run { try file.save(identity) }
        } catch {
            throw CloudError(.local, "the identity of the device cannot be kept: \(error)")
        }
        self.identity = identity
        take(identity)
    }

    private func joinBus(_ identity: Identity) {
        guard bus == nil, settings.takesCommands, let cloud, let trust, let tunnel else { return }
        let callbacks = BusSession.Callbacks(
            connected: { [weak self] isConnected, reason in
                self?.assumeIsolated { $0.connected(isConnected, reason) }
            },
            poked: { [weak self] in self?.assumeIsolated { $0.pollSignal.raise() } }
        )
        do {
            bus = try BusSession(
                identity: identity,
                cloud: cloud,
                trust: trust,
                tunnel: tunnel,
                executor: executor,
                clock: clock,
                callbacks: callbacks
            )
        } catch {
            PluginLog.error("The bus cannot be used: \(error)")
        }
    }

    private func beginPolling() {
        guard polling == nil else { return }
        polling = Task(executorPreference: executor) {
            await self.pollForever()
            await self.pollingEnded()
        }
    }

    private func beginReporting() {
        guard reporting == nil else { return }
        reporting = Task(executorPreference: executor) {
            await self.reportForever()
            await self.reportingEnded()
        }
    }

    private func reportingEnded() {
        reporting = nil
        wakeUp.raise()
    }

    private func pollingEnded() {
        polling = nil
        // It may have been registered again meanwhile.
        wakeUp.raise()
    }

    func targetChanged() {
        service?.notify(.notification(method: CloudRefresh.targetChangedNotification, parameters: [:]))
    }

    func takeRefreshers() -> [CheckedContinuation<Result<Bool, PluginError>, Never>] {
        defer { refreshers = [] }
        return refreshers
    }

    /// With the reason where it has failed.
    func polled(_ error: String?) {
        publish { state in
            // What is wrong with the bus is shown by the bus.
            if self.bus == nil || state.isConnected || error != nil { state.error = error }
        }
    }

    private func leaveBus() {
        bus?.close()
        bus = nil
        if state.isConnected { connected(false, nil) }
    }

    // MARK: The state

    private func connected(_ isConnected: Bool, _ reason: String?) {
        publish { state in
            if state.isConnected != isConnected { state.since = self.clock.wallSeconds }
            state.isConnected = isConnected
            state.error = reason
        }
    }

    private func failed(_ reason: String) {
        publish { $0.error = reason }
    }

    private var changed: Frame { .notification(method: UplinkState.changedNotification, parameters: state.json) }

    private func publish(_ change: (inout UplinkState) -> Void) {
        let former = state
        change(&state)
        if former != state { service?.notify(changed) }
    }

    // MARK: Operations

    private var operations: [PluginService.Entry] {
        [
            PluginService.entry(UplinkStatus.self) { _ throws(PluginError) in await self.state },
            PluginService.entry(UplinkRegister.self) { _ throws(PluginError) in try await self.registerNow() },
            PluginService.entry(UplinkDisconnect.self) { _ throws(PluginError) in try await self.disconnect() },
            PluginService.entry(CloudRefresh.self) { _ throws(PluginError) in try await self.refresh() },
            PluginService.entry(CloudReport.self) { report throws(PluginError) in
                try await self.take(report)
                return EmptyPayload()
            },
        ]
    }

    private func take(_ report: CloudReport.Parameters) throws(PluginError) {
        guard Identity.isUUID(report.uuid) else {
            throw PluginError(.invalidArgument, "uuid is not 32 or 62 hexadecimal digits in small letters")
        }
        if let identity, identity.uuid != report.uuid {
            PluginLog.warning(
                "The supervisor has the uuid \(report.uuid) now; the service knows the device as \(identity.uuid)"
            )
        }
        let isFirst = self.report == nil
        self.report = report
        if isFirst { wakeUp.raise() }
        reportSignal.raise()
    }

    private func registerNow() async throws(PluginError) -> UplinkState {
        guard cloud != nil else {
            throw PluginError(.notSupported, "no remote service is configured ([Cloud] Server= in uplink.conf)")
        }
        if var identity, identity.isDisconnected {
            identity.isDisconnected = false
            do throws(CloudError) {
                try await save(identity)
            } catch {
                throw PluginError(.failed, error.description)
            }
        }
        if report == nil, identity == nil {
            throw PluginError(.unavailable, "the supervisor has not said who the device is yet")
        }
        let outcome = await withCheckedContinuation { continuation in
            registrars.append(continuation)
            wakeUp.raise()
        }
        return try outcome.get()
    }

    private func answerRegistrars(_ outcome: Result<UplinkState, PluginError>) {
        let waiters = registrars
        registrars = []
        for waiter in waiters { waiter.resume(returning: outcome) }
    }

    private func disconnect() async throws(PluginError) -> UplinkState {
        guard var identity else { return state }
        identity.isDisconnected = true
        do throws(CloudError) {
            try await save(identity)
        } catch {
            throw PluginError(.failed, error.description)
        }
        PluginLog.notice("Disconnected from \(identity.server) by an operator")
        leaveBus()
        publish { $0.error = nil }
        wakeUp.raise()
        pollSignal.raise()
        reportSignal.raise()
        return state
    }
}
