import Synchronization

/// Time that stands still until a test moves it.
final class ManualClock: Clock {
    typealias Instant = ContinuousClock.Instant
    typealias Duration = Swift.Duration

    private struct State {
        var now = ContinuousClock.now
        var sleepers: [Int: (due: Instant, continuation: CheckedContinuation<Void, Never>)] = [:]
        var next = 0
        var sleeps = 0
    }

    private let state = Mutex(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    state.sleeps += 1
                    guard state.now < deadline, !Task.isCancelled else { return true }
                    state.sleepers[number] = (deadline, continuation)
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: number)?.continuation }?.resume()
        }
    }

    /// Waits until somebody sleeps, then moves on.
    func advance(by duration: Duration) async {
        await settle()
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.value.due <= state.now }
            for number in due.keys { state.sleepers[number] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    /// Returns when somebody sleeps, or five seconds later.
    func settle() async {
        for _ in 0..<5000 where state.withLock({ $0.sleepers.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(1))
        }
    }
}
