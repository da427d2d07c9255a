import CLinux
import Glibc
import JSON
import Logging
import NIOCore
import SupervisorCore
import SupervisorEngine
import SupervisorEventLoop
import SupervisorHTTP
import SupervisorPluginHost
import SupervisorPorts
import SupervisorSystemd
import SupervisorVersion

/// Connects the parts, runs them, and shuts them down again. Lives on the event loop.
actor Daemon {
    private nonisolated let executor: LoopExecutor
    private nonisolated let logger: Logger
    private let clock: LoopClock
    private let worker: LoopWorker
    private let store: StateStore
    private let runtime: RuntimeDirectory
    private let lockToken: String
    private let notifier: ServiceNotifier
    private let configurationFile: String?
    /// The soft limit of open files that the program was started with.
    private let descriptorLimit: UInt64?
    private var configuration: Configuration
    /// As it was read last; values that need a restart are not in effect yet.
    private var latestConfiguration: Configuration
    private var uuid: String?

    private var supervisor: Supervisor?
    private var host: PluginHost?
    private var server: HTTPServer?
    private var monitor: InterfaceMonitor?
    private var signals: SignalSource?
    private var root: Task<Void, Never>?
    private var watchdog: Task<Void, Never>?
    private var trim: Task<Void, Never>?
    private var reloading: Task<Void, Never>?
    private var isStopping = false

    /// Between SIGTERM and the moment when the core has finished everything.
    private static let drainTime: Duration = .seconds(10)
    /// How long plugins have after that: the SDK's alarm ends one that hangs in 5 s.
    private static let pluginDrainTime: Duration = .seconds(6)
    /// How long the disk has after that to complete its last jobs. All three are within TimeoutStopSec of the unit.
    private static let diskDrainTime: Duration = .seconds(3)
    /// After this the start is over, the first applications included.
    private static let startTime: Duration = .seconds(10)
    /// The purpose for which a device's uuid is derived from its machine id.
    private static let uuidPurpose = "6f3cf3b2-2b5c-4b57-9d0e-0f3d6b0a6c51"

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        executor: LoopExecutor,
        configuration: Configuration,
        configurationFile: String?,
        store: StateStore,
        runtime: RuntimeDirectory,
        lockToken: String,
        worker: LoopWorker,
        notifier: ServiceNotifier,
        descriptorLimit: UInt64?,
        logger: Logger
    ) {
        self.executor = executor
        self.configuration = configuration
        latestConfiguration = configuration
        self.configurationFile = configurationFile
        self.store = store
        self.runtime = runtime
        self.lockToken = lockToken
        self.worker = worker
        self.notifier = notifier
        self.descriptorLimit = descriptorLimit
        self.logger = logger
        clock = LoopClock(loop: executor.loop)
    }

    /// Starts the root task. Call once, on the loop.
    nonisolated func begin(_ signals: SignalDescriptor) {
        assumeIsolated { daemon in
            daemon.root = Task(executorPreference: executor) { await self.run(signals) }
        }
    }

    private func run(_ descriptor: SignalDescriptor) async {
        let logger = logger
        LoopWatch.shared.start { [loop = executor.loop] in
            loop.execute($0)
        } report: {
            logger.warning("\($0.description)")
        }
        do {
            signals = try await SignalSource.start(descriptor, on: executor.loop, logger: logger) { signal in
                self.assumeIsolated { $0.received(signal) }
            }
            .get()
            try await start()
        } catch {
            logger.critical("\(error)")
            exit(1)
        }
    }

    private func start() async throws {
        let watcher = try await InotifyWatcher.start(on: executor.loop, logger: logger).get()
        let monitor = InterfaceMonitor(loop: executor.loop, logger: logger) { snapshot in
            self.assumeIsolated { $0.server?.interfacesChanged(snapshot) }
        }
        self.monitor = monitor
        let host = PluginHost(
            executor: executor,
            clock: clock,
            worker: TransientWorker(name: "plugin-launch"),
            watcher: watcher,
            supervisorVersion: Version.text,
            descriptorLimit: descriptorLimit,
            logger: logger
        )
        self.host = host
        let store = store
        let givenUUID = configuration.uuid
        let contents = try await worker.run {
            store.load(givenUUID: givenUUID, machineUUID: machineApplicationID(Self.uuidPurpose))
        }
        uuid = contents.uuid
        let supervisor = Supervisor(
            parts: parts(watcher, host),
            identity: DeviceIdentity(
                uuid: contents.uuid,
                deviceType: configuration.deviceType,
                osVersion: Host.operatingSystem(),
                supervisorVersion: Version.text,
                architecture: Host.architecture()
            ),
            settings: configuration.supervisorSettings,
            contents: contents
        )
        self.supervisor = supervisor
        let server = HTTPServer(
            executor: executor,
            device: supervisor,
            settings: configuration.serverSettings,
            clock: clock,
            logger: logger
        )
        self.server = server
        // Before any request for a plugin's operation can arrive.
        await host.reload(searchPath: configuration.pluginSearchPath, deviceType: configuration.deviceType)
        monitor.start()
        try await server.listenForControl(path: runtime.controlSocket)
        await server.listen(interfaces: monitor.snapshot)
        if server.addresses.isEmpty {
            logger.error("No interface to listen on yet: \(configuration.interfaces.joined(separator: " "))")
        }
        await supervisor.start()
        logger.notice(
            "Supervisor \(Version.text) of device \(contents.uuid) listens on port \(configuration.port) of \(server.addresses.keys.sorted().joined(separator: ", "))"
        )
        await host.essentialsSettled()
        guard !isStopping else { return }
        notifier.ready(status: "Listening on port \(configuration.port)")
        feedWatchdog()
        forgetStart()
    }

    /// Gives back the memory of the code that only the start has needed: a third of what is resident.
    private func forgetStart() {
        let clock = clock
        trim = Task(executorPreference: executor) {
            do { try await clock.sleep(for: Self.startTime) } catch { return }
            clinux_forget_code()
        }
    }

    private func parts(_ watcher: InotifyWatcher, _ host: PluginHost) -> SupervisorParts {
        var parts = SupervisorParts(
            engine: DockerEngine(
                socket: configuration.engineSocket,
                loop: executor.loop,
                worker: TransientWorker(name: "engine-answer", limit: 4),
                logger: logger
            ),
            host: host,
            clock: clock,
            worker: worker,
            watcher: watcher,
            executor: executor,
            store: store,
            directories: configuration.directories,
            bootID: Host.bootID(),
            lockToken: lockToken,
            addresses: { self.assumeIsolated { $0.monitor?.snapshot.deviceAddresses ?? "" } },
            reload: { () async throws(SupervisorError) in try await self.reloadConfiguration() },
            logger: logger
        )
        parts.reaper = TransientWorker(name: "reaper", limit: 1)
        parts.configuration = { self.assumeIsolated { $0.configurationReport } }
        // The code for working with a plugin is no longer needed, as after the start.
        parts.onIdle = { clinux_forget_code() }
        parts.onEngineBridge = { name in self.assumeIsolated { $0.server?.engineBridgeChanged(name) } }
        return parts
    }

    private var configurationReport: JSONValue {
        ConfigurationReport(inForce: configuration, latest: latestConfiguration, uuid: uuid).json()
    }

    /// Feeds the watchdog as long as the event loop and the core actor answer.
    private func feedWatchdog() {
        guard let interval = notifier.watchdogInterval, let supervisor else { return }
        let clock = clock
        let notifier = notifier
        watchdog = Task(executorPreference: executor) {
            while !Task.isCancelled {
                let ailment = await supervisor.ailment()
                notifier.feedWatchdog()
                notifier.status(ailment ?? "Running")
                do { try await clock.sleep(for: interval / 2) } catch { return }
            }
        }
    }

    // MARK: Signals

    private func received(_ signal: ReceivedSignal) {
        switch Int32(signal.number) {
        case SIGCHLD:
            host?.assumeIsolated { $0.childrenChanged() }
        case SIGHUP:
            guard reloading == nil, let supervisor else { return }
            reloading = Task(executorPreference: executor) {
                do throws(SupervisorError) {
                    try await supervisor.reload()
                } catch {
                    self.logger.error("Keeping the current configuration: \(error)")
                }
                await self.reloaded()
            }
        default:
            guard !isStopping else { exit(1) }
            isStopping = true
            logger.notice("Stopping; containers keep running")
            root = Task(executorPreference: executor) { await self.stop() }
        }
    }

    private func reloaded() {
        reloading = nil
    }

    /// Ends with the process.
    private func stop() async {
        notifier.stopping()
        watchdog?.cancel()
        trim?.cancel()
        // Answers that are under way come from operations that are under way: both finish together.
        let supervisor = supervisor
        let draining = Task(executorPreference: executor) { await supervisor?.drain(within: Self.drainTime) }
        await server?.drain(timeout: Self.drainTime)
        await draining.value
        // The core's last operations may have needed them.
        await host?.shutdown(within: Self.pluginDrainTime)
        let clock = clock
        let logger = logger
        Task(executorPreference: executor) {
            do { try await clock.sleep(for: Self.diskDrainTime) } catch { return }
            logger.error("The disk does not answer; no longer waiting for it")
            exit(1)
        }
        await worker.shutdown()
        exit(0)
    }

    // MARK: Reload

    private func reloadConfiguration() async throws(SupervisorError) -> SupervisorSettings {
        notifier.reloading()
        defer { notifier.ready() }
        let file = configurationFile
        let outcome: Result<(Configuration, [String]), ConfigurationError>
        do {
            outcome = try await worker.run {
                do throws(ConfigurationError) {
                    let loaded = try Configuration.load(file: file)
                    return .success((loaded.configuration, loaded.warnings))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw SupervisorError(.busy, "\(error)", retryAfter: 5)
        }
        switch outcome {
        case .failure(let error):
            throw SupervisorError(.invalidArgument, error.message)
        case .success((let new, let warnings)):
            for warning in warnings { logger.warning("\(warning)") }
            if new.deviceType != configuration.deviceType {
                logger.notice(
                    "The device type is now \(new.deviceType): plugins follow at once, applications after a restart"
                )
            }
            // Values that need a restart all stay as they were.
            for key in configuration.apply(new) {
                logger.warning("\(key) has changed; it takes effect after a restart")
            }
            latestConfiguration = new
            server?.apply(configuration.serverSettings)
            await host?.reload(searchPath: configuration.pluginSearchPath, deviceType: configuration.deviceType)
            logger.notice("Configuration reloaded")
            return configuration.supervisorSettings
        }
    }
}

extension Configuration {
    var directories: AppDirectories {
        AppDirectories(dataDirectory: dataDirectory, lockDirectory: lockDirectory)
    }

    var supervisorSettings: SupervisorSettings {
        SupervisorSettings(
            targetFile: target,
            pollInterval: pollInterval,
            apiPort: port,
            reportedVersion: reportedVersion,
            engineSocket: engineSocket
        )
    }

    var serverSettings: HTTPServerSettings {
        HTTPServerSettings(
            port: UInt16(port),
            interfaces: interfaces,
            maxConnections: maxConnections,
            pingRequiresKey: pingRequiresKey
        )
    }
}
