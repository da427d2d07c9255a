import SupervisorCore
import SupervisorPorts

/// Time that stands still until a test moves it.
///
/// `@unchecked Sendable`: only used on the test's one thread.
final class ManualClock: SupervisorClock, @unchecked Sendable {
    private struct Sleeper {
        var number: Int
        var due: Duration
        /// Resumed with whether the time is up.
        var continuation: CheckedContinuation<Bool, Never>
    }

    private(set) var now: Duration = .seconds(1000)
    let wallSeconds: Int64 = 1_700_000_000
    private var sleepers: [Sleeper] = []
    private var nextNumber = 0

    func sleep(for duration: Duration) async throws(CancellationError) {
        nextNumber += 1
        let number = nextNumber
        let due = now + duration
        let isOver = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume(returning: false)
                } else if due <= now {
                    continuation.resume(returning: true)
                } else {
                    sleepers.append(Sleeper(number: number, due: due, continuation: continuation))
                }
            }
        } onCancel: {
            self.cancel(number)
        }
        if !isOver { throw CancellationError() }
    }

    private func cancel(_ number: Int) {
        guard let index = sleepers.firstIndex(where: { $0.number == number }) else { return }
        sleepers.remove(at: index).continuation.resume(returning: false)
    }

    /// When the next sleeper is due; nil where nobody sleeps.
    var nextAlarm: Duration? { sleepers.map(\.due).min() }

    /// Moves time and wakes whoever is due then.
    func move(to time: Duration) {
        now = max(now, time)
        let due = sleepers.filter { $0.due <= now }.sorted { ($0.due, $0.number) < ($1.due, $1.number) }
        sleepers.removeAll { $0.due <= now }
        for sleeper in due { sleeper.continuation.resume(returning: true) }
    }
}
