/// What the supervisor remembers of services as long as its process lives, or the boot lasts.
struct ServiceMemory: Sendable {
    /// Services that were stopped through the API. A restart of the supervisor runs them again.
    private(set) var stoppedByRequest: Set<ServiceKey> = []
    /// Services that were seen to run since the start.
    private var seenSinceStart: Set<ServiceKey> = []
    private(set) var boot: BootMemory
    private var savedBoot: BootMemory?
    /// The container of a service that the engine failed to start. It stays the first one until one has started.
    private var failedToStart: [ServiceKey: String] = [:]

    /// The journal says once that applications share the space for their locks.
    var hasWarnedOfSharedLocks = false

    init(boot: BootMemory) {
        self.boot = boot
        savedBoot = boot
    }

    /// What has to be saved; nil where nothing has changed.
    var unsavedBoot: BootMemory? { boot == savedBoot ? nil : boot }

    mutating func saved(_ boot: BootMemory) { savedBoot = boot }

    /// A release that the engine accepted but did not start, while the former one still ran: that runs again.
    struct Refusal: Sendable {
        var digest: String
        var error: SupervisorError
        var failures: Int
        /// The next attempt, which stops the former container once more, is not made before.
        var until: Duration
    }

    private var refusals: [ServiceKey: Refusal] = [:]

    /// Each attempt interrupts a service that runs: the second one is made after ten seconds, the third after a minute, each
    /// further one after twice the time, at most an hour.
    mutating func refuse(_ key: ServiceKey, digest: String, _ error: SupervisorError, at now: Duration) {
        let failures = refusals[key].map { $0.digest == digest ? $0.failures + 1 : 1 } ?? 1
        let pause =
            failures == 1 ? Duration.seconds(10) : min(.seconds(60) * (1 << min(failures - 2, 10)), .seconds(3600))
        refusals[key] = Refusal(digest: digest, error: error, failures: failures, until: now + pause)
    }

    /// Why this container is not made yet; nil where it may be.
    func refusal(_ key: ServiceKey, digest: String, at now: Duration) -> Refusal? {
        refusals[key].flatMap { $0.digest == digest && now < $0.until ? $0 : nil }
    }

    /// Somebody asks for an update, or wants something else.
    mutating func forgetRefusals() {
        refusals = [:]
    }

    mutating func stoppedByRequest(_ key: ServiceKey) {
        stoppedByRequest.insert(key)
    }

    /// Its container was created or removed: what was asked of the one before no longer holds.
    mutating func containerChanged(of key: ServiceKey) {
        stoppedByRequest.remove(key)
    }

    /// Services that have run since the start, and those that run once in a boot and have.
    var servicesSeenRunning: Set<ServiceKey> { seenSinceStart.union(boot.hasRun) }

    /// - Parameter endsByItself: whether the process is not started again after its end, by the service's policy.
    mutating func runs(_ key: ServiceKey, endsByItself: Bool) {
        seenSinceStart.insert(key)
        if endsByItself { boot.hasRun.insert(key) }
    }

    mutating func started(_ key: ServiceKey, container: String, endsByItself: Bool) {
        failedToStart[key] = nil
        stoppedByRequest.remove(key)
        boot.stoppedByOthers.remove(container)
        runs(key, endsByItself: endsByItself)
    }

    /// Somebody stopped the container at the engine.
    mutating func stoppedByOthers(_ container: String) {
        boot.stoppedByOthers.insert(container)
    }

    /// Somebody started it.
    mutating func startedByOthers(_ container: String) {
        boot.stoppedByOthers.remove(container)
    }

    /// Forgets what there is no more.
    mutating func keep(services: Set<ServiceKey>, containers: Set<String>) {
        boot.hasRun.formIntersection(services)
        boot.stoppedByOthers.formIntersection(containers)
    }

    /// Whether the service stays stopped because somebody asked for that: through the API, or at the engine.
    func staysStopped(_ instance: CurrentState.Instance) -> Bool {
        stoppedByRequest.contains(instance.key)
            || !instance.state.isAlive && boot.stoppedByOthers.contains(instance.id)
    }

    mutating func failedToStart(_ key: ServiceKey, container: String) {
        if failedToStart[key] == nil { failedToStart[key] = container }
    }

    mutating func forgetFailedStart(of key: ServiceKey) {
        failedToStart[key] = nil
    }

    /// Whether this was the first container of the service that the engine failed to start, and none has started since.
    func hasFailedToStart(_ key: ServiceKey, container: String) -> Bool {
        failedToStart[key] == container
    }
}
