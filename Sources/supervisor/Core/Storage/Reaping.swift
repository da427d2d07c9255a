import Synchronization

/// Whether a slice is still wanted; asked by the thread that removes.
final class ReapingCancellation: Sendable {
    private let isSet = Atomic(false)

    var isCancelled: Bool { isSet.load(ordering: .relaxed) }

    func cancel() { isSet.store(true, ordering: .relaxed) }
    func reset() { isSet.store(false, ordering: .relaxed) }
}

/// Removing what was renamed away: whether it is under way, and when it is tried again.
struct Reaping {
    private(set) var isUnderWay = false
    private var mustReap = false
    /// Why something stays, as last logged.
    private var problem: String?
    /// What a storage plugin could not do is tried again, later and later.
    private var retry: Task<Void, Never>?
    private var failures = 0
    /// Ends the slice that is under way.
    let cancellation = ReapingCancellation()

    /// There is something to remove. Returns whether that is to be begun; where it is under way already it looks once more.
    ///
    /// - Parameter isPossible: false while the core stops, and while a reboot or power-off is under way.
    mutating func begin(isPossible: Bool) -> Bool {
        mustReap = true
        guard !isUnderWay, isPossible else { return false }
        isUnderWay = true
        return true
    }

    /// Whether what was begun has to look for something to remove, which is the case the first time. Ends it otherwise.
    mutating func beginRound(isPossible: Bool) -> Bool {
        isUnderWay = mustReap && isPossible
        if isUnderWay {
            mustReap = false
            cancellation.reset()
        }
        return isUnderWay
    }

    /// Nothing is left.
    mutating func succeeded() {
        problem = nil
        failures = 0
        cancelRetry()
        retry = nil
    }

    /// How long to wait after another failure: a minute, doubling up to an hour.
    mutating func failed() -> Duration {
        failures += 1
        return min(.seconds(60) * (1 << min(failures - 1, 6)), .seconds(3600))
    }

    mutating func retry(by task: Task<Void, Never>) {
        cancelRetry()
        retry = task
    }

    func cancelRetry() { retry?.cancel() }

    /// No slice is begun any more, and the one under way ends early.
    func stop() {
        cancelRetry()
        cancellation.cancel()
    }

    /// Returns whether it is another one than the last that was recorded.
    mutating func recordProblem(_ problem: String) -> Bool {
        defer { self.problem = problem }
        return problem != self.problem
    }
}
