/// The time in which a release has to show that it stays up. A pure state: it knows neither engine nor clock.
struct Probation: Sendable, Hashable {
    enum Verdict: Sendable, Hashable {
        case good
        /// With the reason, for people.
        case bad(String)
        /// Nothing to say yet; by then at the latest, if time alone decides.
        case open(until: Duration?)
    }

    /// The container's id.
    let container: String
    let healthyAfter: Duration
    /// Since when it runs without an end.
    private var since: Duration?
    private var failure: String?
    /// Whether a failure was reported already.
    private(set) var isReported = false

    init(container: String, healthyAfter: Duration) {
        self.container = container
        self.healthyAfter = healthyAfter
    }

    /// Its process ended, and we had not asked it to.
    mutating func died(exitCode: Int?, at now: Duration) {
        let code = exitCode.map { " with \($0)" } ?? ""
        let time = since.map { " after \((now - $0).components.seconds) s" } ?? ""
        failure = failure ?? "its process ended\(code)\(time)"
    }

    /// It could not be started.
    mutating func failedToStart(_ message: String) {
        failure = failure ?? "it does not start: \(message)"
    }

    /// Begins again, where there is no release to return to.
    mutating func forgive() {
        failure = nil
        since = nil
        isReported = true
    }

    /// - Parameters:
    ///   - state: as listed by the engine just now.
    ///   - exitCode: with which its process ended last, where that is known.
    mutating func judge(
        _ state: ContainerState,
        _ health: ContainerHealth,
        exitCode: Int? = nil,
        at now: Duration
    ) -> Verdict {
        if let failure { return .bad(failure) }
        switch state {
        case .created, .removing, .paused: return .open(until: nil)
        case .restarting, .exited, .dead:
            died(exitCode: exitCode, at: now)
            return .bad(failure ?? "its process ended")
        case .running: break
        }
        if health == .unhealthy {
            failure = "its health check fails"
            return .bad("its health check fails")
        }
        let start = since ?? now
        since = start
        let end = start + healthyAfter
        if now < end { return .open(until: end) }
        // A health check that has not decided yet is an event when it has.
        return health == .starting ? .open(until: nil) : .good
    }
}
