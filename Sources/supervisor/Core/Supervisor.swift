import JSON
import Logging
import SupervisorPorts

/// The core: makes the device's containers what the target says, one careful step after another, and does what the API
/// asks for.
///
/// Runs on the event loop. Life: `init`, `start()`, then any calls, at the end `drain(within:)`. The engine is the truth
/// about containers: nothing about them is kept, so that a supervisor that was killed anywhere reads and plans again.
///
/// Holds one value for each concern: a struct in the concern's folder, with private state and synchronous methods, which
/// knows nothing of this actor. `Supervisor+….swift` beside it carries out what the struct decides.
public actor Supervisor: DeviceAPI {
    nonisolated let parts: SupervisorParts
    nonisolated let identity: DeviceIdentity
    nonisolated let logger: Logger
    nonisolated let lockFiles: UpdateLockFiles

    var settings: SupervisorSettings
    let startedAt: Duration

    // What is kept.
    var key: APIKey
    /// nil while no target was ever seen: then containers that are there stay as they are.
    var target: TargetState?
    var targetJSON: JSONValue?
    /// Where the target file is wrong; the last good target is in force then.
    var targetError: String?
    /// Images that we downloaded and may therefore remove.
    var pulledImages: Set<String>
    var releases: ReleaseRecords

    // What the engine says.
    var engineLink: EngineLink
    /// As listed last, kept up to date by events.
    var containers: [EngineContainer] = [] {
        didSet { instances = containers.compactMap(CurrentState.Instance.init) }
    }
    /// Those of the containers whose labels are whole, in the same order.
    private(set) var instances: [CurrentState.Instance] = []
    /// Whether the engine has listed them at least once.
    var hasListed = false
    var disk = DiskWatch()
    var crashes = CrashWatch()
    /// Networks of ours, as listed last.
    var networks: [EngineNetwork] = []
    /// Gateways of networks, as the engine said last.
    var gateways: [String: String] = [:]
    /// Containers that we stop or have stopped: the end of their process is no crash.
    var stoppedByUs: Set<String> = []

    // What the user chose, and what plugins say.
    var heartbeat: Heartbeat

    // What is going on.
    var progress = UpdateProgress()
    var retry = RetryPolicy()
    /// Services that were stopped through the API. Forgotten with the process: a restart runs them again.
    var halted: Set<ServiceKey> = []
    /// Until the first cycle is through, as after a boot.
    var startsEverything = true
    /// Services that were seen to run since the start.
    var haveRun: Set<ServiceKey> = []
    /// The container of a service that the engine failed to start. It stays the first one until one has started.
    var failedToStart: [ServiceKey: String] = [:]
    var pendingForce = false
    var activeForce = false
    /// Services as they are to run, by the last plan.
    var planned: [ServiceKey: (app: AppTarget, service: ServiceTarget)] = [:]
    /// Images that were there in this cycle.
    var knownImages: Set<String> = []
    /// Networks that could not be removed in this cycle.
    var leftNetworks: Set<UpdateSubject> = []
    var handOvers: [ServiceKey: HandOver] = [:]
    var probations: [ServiceKey: Probation] = [:]
    /// When the next cycle has to begin at the latest, for what time alone decides.
    var deadline: Duration?
    /// The commit of each application that is wholly as the target said.
    var settledCommits: [AppID: String] = [:]
    /// Why credentials for registries are not used, as told last.
    var credentialsProblem: String?
    var download: (image: String, task: Task<Result<Void, EngineError>, Never>)?

    // Waiting and owned tasks; see the extensions.
    var ownedTasks = OwnedTasks()
    var isTriggered = false
    var wake: CheckedContinuation<Void, Never>?
    var unlockWatch = UnlockWatch()
    var targetWatch: (directory: String, token: WatchToken)?
    var gate = OperationGate()
    var reaping = Reaping()

    // Reboot and power-off.
    var power = PowerPassage()

    // What is done to the host one at a time.
    let hostConfigurationLine = WaitingLine()

    // Those who watch.
    var events = EventLog()
    var lastProgressEvent: Duration?
    /// Why an update waits for a lock, as told last.
    var blockedReason: String?
    /// Whether the device was found to differ from its target, which nobody was told the end of.
    var updateIsOpen = false
    /// Why the update failed, as told last.
    var failureTold: String?
    /// Update cycles since the start.
    var checksBegun: Int64 = 0
    var checksEnded: Int64 = 0
    var logStreams = LogStreams()

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
        engineLink = EngineLink(at: parts.clock.now)
        key = APIKey(contents.apiKey, isSaved: contents.keyIsSaved)
        targetJSON = contents.target
        pulledImages = contents.pulledImages
        heartbeat = Heartbeat(isEnabled: contents.tcpPingIsEnabled)
        releases = contents.releases
        if let json = contents.target {
            var parser = TargetParser()
            target = try? parser.parse(json)
        }
        for problem in contents.problems { logger.error("\(problem)") }
    }

    /// Clears what a killed supervisor left, and begins to look after engine, host and target.
    public func start() async {
        parts.host.observe { event in self.assumeIsolated { $0.handle(event) } }
        let files = lockFiles
        do throws(SupervisorError) {
            let inMemory = try await onWorker {
                try files.directories.prepare()
                files.clearOwn()
                return files.inMemory()
            }
            unlockWatch.set(inMemory: inMemory)
        } catch {
            logger.error("\(error)")
        }
        watchTarget()
        own { await $0.followEngine() }
        own { await $0.runUpdates() }
        scheduleReaping()
    }

    // MARK: The end

    /// Ends downloads, lets the step under way finish, and returns when nothing is going on, or after `limit` at the
    /// latest. Containers run on.
    public func drain(within limit: Duration) async {
        ownedTasks.stop()
        download?.task.cancel()
        engineLink.stop()
        power.cancelPause()
        reaping.cancelRetry()
        wakeUp()
        endStreams()
        await waitForOwnedTasks(within: limit)
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
            throw SupervisorError(error)
        } catch {
            throw SupervisorError(.failed, "\(error)")
        }
    }
}

/// What the update cycle shows of itself.
struct UpdateProgress: Sendable {
    enum Status: String, Sendable {
        case idle = "Idle"
        case downloading = "Downloading"
        case installing = "Installing"
        case starting = "Starting"
        case stopping = "Stopping"
    }

    var status = Status.idle
    /// 0 to 100 while an image downloads.
    var download: Double?
    var isPending = false
    var isDownloaded = false
    var hasFailed = false
    var error: String?
    /// When a failed cycle is tried again.
    var nextAttempt: Duration?
}
