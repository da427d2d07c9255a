import Logging
import SupervisorPorts

/// Tasks of the core, and timers.
extension Supervisor {
    /// Whether the core is at its end: nothing new is begun then.
    var isStopping: Bool { ownedTasks.isStopping }

    /// Runs `body` in a task that belongs to the core: no caller that goes away cancels it, and `drain` waits for it.
    func own(_ body: @escaping @Sendable (isolated Supervisor) async -> Void) {
        ownedTasks.add { number in
            Task(executorPreference: parts.executor) {
                await body(self)
                await self.ended(number)
            }
        }
    }

    /// Runs `body` as `own` does, and returns what came of it.
    func owned<Value: Sendable>(
        _ body: @escaping @Sendable (isolated Supervisor) async throws(SupervisorError) -> Value
    ) async throws(SupervisorError) -> Value {
        let result: Result<Value, SupervisorError> = await withCheckedContinuation { continuation in
            own { supervisor in
                do throws(SupervisorError) {
                    continuation.resume(returning: .success(try await body(supervisor)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    /// Calls `body` after `delay`, unless the task is cancelled before. `drain` does not wait for it: the room that
    /// keeps the task cancels it.
    func after(_ delay: Duration, _ body: @escaping @Sendable (isolated Supervisor) -> Void) -> Task<Void, Never> {
        let clock = parts.clock
        return Task(executorPreference: parts.executor) {
            do { try await clock.sleep(for: delay) } catch { return }
            await body(self)
        }
    }

    /// Returns when no owned task is left, or after `limit` at the latest.
    func waitForOwnedTasks(within limit: Duration) async {
        guard ownedTasks.count > 0 else { return }
        let timer = after(limit) { supervisor in
            supervisor.logger.warning(
                "\(supervisor.ownedTasks.count) tasks are still under way; no longer waiting for them"
            )
            supervisor.ownedTasks.giveUpWaiting()
        }
        await withCheckedContinuation { continuation in ownedTasks.waitUntilIdle(continuation) }
        timer.cancel()
    }

    private func ended(_ number: Int) {
        ownedTasks.ended(number)
    }
}
