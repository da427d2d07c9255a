import Synchronization

/// Time that stands still until a test moves it.
package final class ManualClock: Sendable {
    private struct Sleeper {
        var number: Int
        var due: Duration
        /// Resumed with whether the time is up.
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var now: Duration = .seconds(1000)
        var sleepers: [Sleeper] = []
        var nextNumber = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var now: Duration { state.withLock { $0.now } }

    package func sleep(for duration: Duration) async throws(CancellationError) {
        try await sleep(until: now + duration)
    }

    package func sleep(until due: Duration) async throws(CancellationError) {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        let isOver = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if due <= state.now { return true }
                    state.sleepers.append(Sleeper(number: number, due: due, continuation: continuation))
                    return nil
                }
                if let isOver { continuation.resume(returning: isOver) }
            }
        } onCancel: {
            cancel(number)
        }
        if !isOver { throw CancellationError() }
    }

    private func cancel(_ number: Int) {
        let sleeper = state.withLock { state in
            state.sleepers.firstIndex { $0.number == number }.map { state.sleepers.remove(at: $0) }
        }
        sleeper?.continuation.resume(returning: false)
    }

    /// When the next sleeper is due; nil where none sleeps.
    package var nextAlarm: Duration? { state.withLock { $0.sleepers.map(\.due).min() } }

    /// Moves time and wakes the sleepers that are due then.
    package func move(to time: Duration) {
        let due = state.withLock { state in
            state.now = max(state.now, time)
            let due = state.sleepers.filter { $0.due <= state.now }
            state.sleepers.removeAll { $0.due <= state.now }
            return due.sorted { ($0.due, $0.number) < ($1.due, $1.number) }
        }
        for sleeper in due { sleeper.continuation.resume(returning: true) }
    }
}
