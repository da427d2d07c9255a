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
    var targetInForce: TargetInForce
    var images: ImageLedger
    var rollBack: RollBack

    // What the engine says.
    var engineLink: EngineLink
    var inventory = Inventory()
    var disk = DiskWatch()
    var crashes = CrashWatch()

    // What the user chose, and what plugins say.
    var heartbeat: Heartbeat
    var cloudLink = CloudLink()

    // The current activity.
    var progress = UpdateProgress()
    var cycle = UpdateCycle()
    var memory: ServiceMemory
    var handOvers = HandOvers()

    // Waiting and owned tasks; see the extensions.
    var ownedTasks = OwnedTasks()
    var unlockWatch = UnlockWatch()
    var gate = AppGate()
    var reaping = Reaping()

    // Reboot and power-off.
    var power = PowerPassage()

    // What is done to the host one at a time.
    let hostConfigurationLine = WaitingLine()

    // Those who watch.
    var events = EventLog()
    var news = UpdateNews()
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
        targetInForce = TargetInForce(kept: contents.target)
        images = ImageLedger(kept: contents.images)
        heartbeat = Heartbeat(isEnabled: contents.tcpPingIsEnabled)
        memory = ServiceMemory(boot: contents.boot(id: parts.bootID))
        rollBack = RollBack(releases: contents.releases)
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
                try? files.directories.clearLocksOfEarlierBoot(files.bootID, containersMayRun: true)
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

    /// Ends downloads, lets the step under way finish, and returns when nothing is under way, or after `limit` at the
    /// latest. Containers run on.
    public func drain(within limit: Duration) async {
        ownedTasks.stop()
        images.cancelDownload()
        engineLink.stop()
        power.cancelPause()
        reaping.stop()
        cloudLink.stop()
        cycle.wakeUp()
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
