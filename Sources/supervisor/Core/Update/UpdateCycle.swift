/// What asks for update cycles, and what holds for the one under way.
struct UpdateCycle: Sendable {
    /// Whether something asks for a cycle beyond the one under way.
    private(set) var isRequested = false
    private var wake: CheckedContinuation<Void, Never>?
    /// Whether the next cycle is to override update locks.
    private var isForceRequested = false
    /// Whether this cycle overrides update locks.
    private(set) var isForcing = false
    /// Until a cycle has found nothing left to do: everything that has ended runs again, as after a boot.
    private(set) var isFirst = true
    private var retry = RetryPolicy()
    /// When the next cycle has to begin at the latest, for what time alone decides.
    private var nextDue: Duration?
    /// Services as they are to run, by the last plan.
    private(set) var releasesToRun: [ServiceKey: (app: AppTarget, service: ServiceTarget)] = [:]
    /// The digests of the containers that they want.
    private(set) var digests: [ServiceKey: String] = [:]
    /// Images that were there in this cycle: the engine takes a millisecond to say so of one.
    private(set) var knownImages: [String: EngineImage] = [:]
    /// Networks that could not be removed in this cycle.
    private(set) var networksInUse: Set<UpdateSubject> = []

    // MARK: Being asked for

    /// A cycle begins as soon as the one under way, if any, has ended.
    mutating func request() {
        isRequested = true
        wakeUp()
    }

    mutating func requestForce() {
        isForceRequested = true
    }

    /// Ends the wait for the next cycle, if there is one.
    mutating func wakeUp() {
        wake?.resume()
        wake = nil
    }

    /// Resumes the continuation when the next cycle is requested, at once if it already is or if `isStopping`.
    mutating func wait(isStopping: Bool, _ continuation: CheckedContinuation<Void, Never>) {
        if isRequested || isStopping { continuation.resume() } else { wake = continuation }
    }

    /// What was requested until now is done by the cycle that begins.
    mutating func takeRequest() {
        isRequested = false
    }

    // MARK: The cycle

    mutating func begin() {
        isForcing = isForceRequested
        isForceRequested = false
        knownImages = [:]
        networksInUse = []
        nextDue = nil
    }

    mutating func end() {
        isForcing = false
    }

    /// Has the cycle under way do what the next one was asked for.
    mutating func takeForce() {
        guard isForceRequested else { return }
        isForcing = true
        isForceRequested = false
    }

    /// The cycle could not do what it was asked for: the next one does.
    mutating func leaveForce() {
        if isForcing { isForceRequested = true }
    }

    /// How many cycles have failed since the last one that succeeded.
    var failures: Int { retry.failures }

    mutating func succeeded(isPending: Bool) {
        retry.succeeded()
        if !isPending { isFirst = false }
    }

    /// Returns how long to wait for the next attempt.
    mutating func failed(
        pollInterval: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        retry.failed(pollInterval: pollInterval, using: &generator)
    }

    /// The wait for the next cycle, cut short where time alone decides something before its end.
    func wait(atMost limit: Duration, at now: Duration) -> Duration {
        guard let nextDue else { return limit }
        return min(limit, max(.milliseconds(10), nextDue - now))
    }

    /// A new target is tried at once, and soon again.
    mutating func targetChanged() {
        retry.succeeded()
    }

    /// Has the next cycle begin then, if nothing asks for one sooner.
    mutating func dueNoLaterThan(_ time: Duration) {
        nextDue = min(nextDue ?? time, time)
    }

    // MARK: The plan

    mutating func beginPlan() {
        releasesToRun = [:]
        digests = [:]
    }

    mutating func run(_ key: ServiceKey, _ app: AppTarget, _ service: ServiceTarget) {
        releasesToRun[key] = (app, service)
    }

    mutating func wants(_ key: ServiceKey, digest: String) {
        digests[key] = digest
    }

    mutating func found(_ image: EngineImage, _ name: String) {
        knownImages[name] = image
    }

    /// It was downloaded or removed: the engine is asked again.
    mutating func removed(image name: String) {
        knownImages[name] = nil
    }

    /// - Parameter name: the engine's.
    mutating func networkIsInUse(_ app: AppID, _ name: String) {
        networksInUse.insert(.network(app, name))
    }
}
