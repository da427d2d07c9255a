/// Time, as the core needs it. Tests inject their own.
public protocol SupervisorClock: Sendable {
    /// Time since an arbitrary start. Never jumps, and advances while the machine sleeps (CLOCK_BOOTTIME of
    /// clock_gettime(2)).
    var now: Duration { get }

    /// Seconds since 1970, as the machine believes now; it may jump.
    var wallSeconds: Int64 { get }

    /// Throws when the task is cancelled.
    func sleep(for duration: Duration) async throws(CancellationError)
}
