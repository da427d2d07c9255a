import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

/// One timer that rings no later than it was last asked to, possibly earlier: a ring is a reason to look, not a promise
/// that something is due. A deadline that moves into the future therefore costs nothing.
///
/// Lives on the event loop.
final class LoopAlarm {
    private let clock: any SupervisorClock
    private let executor: LoopExecutor
    private var due: Duration?
    private var task: Task<Void, Never>?
    private var ring: () -> Void = {}

    init(clock: any SupervisorClock, executor: LoopExecutor) {
        self.clock = clock
        self.executor = executor
    }

    /// Called on the loop.
    func onRing(_ ring: @escaping () -> Void) {
        self.ring = ring
    }

    /// Rings at `time` or before.
    func set(noLaterThan time: Duration) {
        if let due, due <= time { return }
        due = time
        task?.cancel()
        let alarm = LoopBound(self, executor)
        let (clock, delay) = (clock, time - clock.now)
        task = Task(executorPreference: executor) {
            do throws(CancellationError) {
                if delay > .zero { try await clock.sleep(for: delay) }
            } catch {
                return
            }
            alarm.value.fire(time)
        }
    }

    func cancel() {
        task?.cancel()
        task = nil
        due = nil
    }

    private func fire(_ time: Duration) {
        // One that was set for an earlier time has taken this one's place.
        guard due == time else { return }
        due = nil
        task = nil
        ring()
    }
}
