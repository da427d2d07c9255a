import HostOperations
public import JSON
public import Logging
public import SupervisorPorts

/// What the core is told by the configuration.
public struct SupervisorSettings: Sendable, Hashable {
    public var targetFile: String
    public var pollInterval: Duration
    public var apiPort: Int
    /// For messages only.
    public var engineSocket: String

    public init(targetFile: String, pollInterval: Duration, apiPort: Int, engineSocket: String) {
        self.targetFile = targetFile
        self.pollInterval = pollInterval
        self.apiPort = apiPort
        self.engineSocket = engineSocket
    }
}

/// What the core stands on. The parts are joined by the program.
public struct SupervisorParts: Sendable {
    public var engine: any ContainerEngine
    public var host: any HostOperations
    public var clock: any SupervisorClock
    /// Runs jobs one at a time, in the order in which they came.
    public var worker: any BlockingWorker
    public var watcher: any DirectoryWatcher
    public var executor: any SerialExecutor & TaskExecutor
    public var store: StateStore
    public var directories: AppDirectories
    public var bootID: String
    /// Known to the update locks of this supervisor and of those before it since the boot.
    public var lockToken: String
    /// The addresses of the device, separated by spaces; asked for on the event loop.
    public var addresses: @Sendable () -> String
    /// Reads the configuration again, applies it to everything but the core and returns what is the core's.
    public var reload: @Sendable () async throws(SupervisorError) -> SupervisorSettings
    public var logger: Logger
    /// The configuration in force, for people; asked for on the event loop.
    public var configuration: @Sendable () -> JSONValue = { [] }
    /// Called on the event loop when a plugin has been ended because nobody needed it for a while.
    public var whenAtRest: @Sendable () -> Void = {}

    public init(
        engine: any ContainerEngine,
        host: any HostOperations,
        clock: any SupervisorClock,
        worker: any BlockingWorker,
        watcher: any DirectoryWatcher,
        executor: any SerialExecutor & TaskExecutor,
        store: StateStore,
        directories: AppDirectories,
        bootID: String,
        lockToken: String,
        addresses: @escaping @Sendable () -> String,
        reload: @escaping @Sendable () async throws(SupervisorError) -> SupervisorSettings,
        logger: Logger
    ) {
        self.engine = engine
        self.host = host
        self.clock = clock
        self.worker = worker
        self.watcher = watcher
        self.executor = executor
        self.store = store
        self.directories = directories
        self.bootID = bootID
        self.lockToken = lockToken
        self.addresses = addresses
        self.reload = reload
        self.logger = logger
    }
}

/// The core: makes the device's containers what the target says, one careful step after another, and does what the API
/// asks for.
///
/// Runs on the event loop. Life: `init`, `start()`, then any calls, at the end `drain(within:)`. The engine is the truth
/// about containers: nothing about them is kept, so that a supervisor that was killed anywhere reads and plans again.
public actor Supervisor: DeviceAPI {
    nonisolated let parts: SupervisorParts
    nonisolated let identity: DeviceIdentity
    nonisolated let logger: Logger
    nonisolated let lockFiles: UpdateLockFiles

    var settings: SupervisorSettings
    /// Known from the start on.
    private(set) var locksInMemory = UpdateLockFiles.InMemory()
    let startedAt: Duration

    // What is kept.
    var apiKey: String
    var keyIsSaved: Bool
    var isChangingKey = false
    var targetInForce: TargetInForce
    var images: ImageLedger
    /// What the user chose.
    var tcpPingIsEnabled: Bool
    var rollBack: RollBack

    // What the engine says.
    var engineState: EngineState
    var inventory = Inventory()
    /// When a look at the disk began that has not come back in time; nil since it did.
    var diskSilentSince: Duration?
    var crashes = CrashTracker()
    /// Looks whether a crash loop is over, when that may be.
    var crashCheck: Task<Void, Never>?
    /// When the engine was asked last what a service in a crash loop wrote.
    var lastLinesRead: [ServiceKey: Duration] = [:]

    // What plugins say.
    /// As told last; nil while nobody has.
    var tcpPing: TCPPingState?
    /// How often it was told without being asked for.
    var tcpPingNews = 0

    // What is going on.
    var progress = UpdateProgress()
    var cycle = UpdateCycle()
    var memory = ServiceMemory()
    var handOvers = HandOvers()
    /// What goes on now, since when, and how long it may take before something is wrong.
    var steps: [Int: (name: String, since: Duration, limit: Duration)] = [:]
    var nextStep = 0

    // Waiting and owned tasks; see the extensions.
    var isStopping = false
    var lastEventTrigger: Duration = .zero
    var eventTrigger: Task<Void, Never>?
    var unlockWatches: [WatchToken] = []
    /// Those whose locks the update waits for.
    var lockedApps: Set<AppID> = []
    var isCheckingLocks = false
    var mustCheckLocks = false
    var gate = AppGate()
    var tasks: [Int: Task<Void, Never>] = [:]
    var nextTask = 0
    var idleWaiters: [CheckedContinuation<Void, Never>] = []
    var isReaping = false
    var mustReap = false
    var reapingProblem: String?
    var reapingRetry = ReapingRetry()
    var engineTask: Task<Void, Never>?

    // Reboot and power-off.
    var power = PowerGate()
    var powerHold = PowerHold()
    /// Resumed with the error, nil being success.
    var powerCallers: [Int: CheckedContinuation<SupervisorError?, Never>] = [:]
    var nextPowerCaller = 0
    var powerPause: Task<Void, Never>?

    // What is done to the host one at a time.
    let hostConfigurationLine = WaitingLine()
    let tcpPingLine = WaitingLine()

    // Those who watch.
    var events = EventLog()
    var news = UpdateNews()
    var logStreams: [Int: LineStream] = [:]
    var nextLogStream = 0
    /// How often a container of ours was started; those who follow logs wait for the next time.
    var containerStarts = 0
    var logFollowers: [CheckedContinuation<Void, Never>] = []

    public nonisolated var unownedExecutor: UnownedSerialExecutor { parts.executor.asUnownedSerialExecutor() }

    public init(
        parts: SupervisorParts,
        identity: DeviceIdentity,
        settings: SupervisorSettings,
        contents: StateStore.Contents
    ) {
        self.parts = parts
        self.identity = identity
        self.settings = settings
        logger = parts.logger
        lockFiles = UpdateLockFiles(directories: parts.directories, bootID: parts.bootID, token: parts.lockToken)
        startedAt = parts.clock.now
        engineState = .away(since: parts.clock.now, reason: "not asked yet")
        apiKey = contents.apiKey
        keyIsSaved = contents.keyIsSaved
        targetInForce = TargetInForce(kept: contents.target)
        images = ImageLedger(pulled: contents.pulledImages)
        tcpPingIsEnabled = contents.tcpPingIsEnabled
        rollBack = RollBack(releases: contents.releases)
        for problem in contents.problems { logger.error("\(problem)") }
    }

    /// Clears what a killed supervisor left, and begins to look after engine, host and target.
    public func start() async {
        parts.host.observe { event in self.assumeIsolated { $0.handle(event) } }
        let files = lockFiles
        do throws(SupervisorError) {
            locksInMemory = try await onWorker {
                try files.directories.prepare()
                files.clearOwn()
                return files.inMemory()
            }
        } catch {
            logger.error("\(error)")
        }
        watchTarget()
        own { await $0.followEngine() }
        own { await $0.runUpdates() }
        scheduleReaping()
    }

    // MARK: Owned tasks

    /// Runs `body` in a task that belongs to the core: no caller that goes away cancels it, and `drain` waits for it.
    func own(_ body: @escaping @Sendable (isolated Supervisor) async -> Void) {
        let number = nextTask
        nextTask += 1
        tasks[number] = Task(executorPreference: parts.executor) {
            await body(self)
            await self.finished(number)
        }
    }

    /// Runs `body` as `own` does, and returns what came of it.
    func owned<Value: Sendable>(
        _ body: @escaping @Sendable (isolated Supervisor) async throws(SupervisorError) -> Value
    ) async throws(SupervisorError) -> Value {
        let result: Result<Value, SupervisorError> = await withCheckedContinuation { continuation in
            own { supervisor in
                do throws(SupervisorError) {
                    continuation.resume(returning: .success(try await body(supervisor)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private func finished(_ number: Int) {
        tasks[number] = nil
        guard tasks.isEmpty else { return }
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters = []
    }

    /// Ends downloads, lets the step under way finish, and returns when nothing is going on, or after `limit` at the
    /// latest. Containers run on.
    public func drain(within limit: Duration) async {
        isStopping = true
        images.cancelDownload()
        engineTask?.cancel()
        eventTrigger?.cancel()
        powerPause?.cancel()
        reapingRetry.task?.cancel()
        cycle.wakeUp()
        endStreams()
        guard !tasks.isEmpty else { return }
        let clock = parts.clock
        let timer = Task(executorPreference: parts.executor) {
            do { try await clock.sleep(for: limit) } catch { return }
            await self.giveUpWaiting()
        }
        await withCheckedContinuation { continuation in
            if tasks.isEmpty { continuation.resume() } else { idleWaiters.append(continuation) }
        }
        timer.cancel()
    }

    private func giveUpWaiting() {
        logger.warning("\(tasks.count) tasks are still under way, not waiting any longer")
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters = []
    }

    // MARK: The worker

    /// Runs what may block on the worker.
    nonisolated func onWorker<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws(SupervisorError) -> Result {
        do {
            return try await parts.worker.run(body)
        } catch let error as SupervisorError {
            throw error
        } catch let error as WorkerError {
            switch error.code {
            case .full: throw SupervisorError(.busy, error.description, retryAfter: 5)
            case .finished: throw SupervisorError(.unavailable, error.description)
            }
        } catch {
            throw SupervisorError(.failed, "\(error)")
        }
    }
}

/// Whether the engine answers.
enum EngineState: Sendable {
    case away(since: Duration, reason: String)
    case connected(since: Duration, EngineInformation)
}

extension SupervisorError {
    init(_ error: EngineError) {
        switch error.code {
        case .unavailable: self.init(.unavailable, error.message)
        case .timeout: self.init(.timeout, error.message)
        default: self.init(.failed, error.message)
        }
    }
}
