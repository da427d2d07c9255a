import HostOperations
import LinuxSupport
import Logging
import SupervisorPorts

/// What a storage plugin could not do is tried again, later and later.
struct ReapingRetry {
    var task: Task<Void, Never>?
    private(set) var failures = 0

    /// How long to wait after another failure: a minute, doubling up to an hour.
    mutating func failed() -> Duration {
        failures += 1
        return min(.seconds(60) * (1 << min(failures - 1, 6)), .seconds(3600))
    }

    mutating func succeeded() {
        failures = 0
        task?.cancel()
        task = nil
    }
}

/// Removing what was renamed away: by the core as far as it may, the rest by the storage plugin.
extension Supervisor {
    /// Removes what was renamed away, a slice at a time: the worker has more urgent things to do in between. Nothing is
    /// begun while a reboot or power-off is under way.
    func scheduleReaping() {
        mustReap = true
        guard !isReaping, !isStopping, !power.isClosed else { return }
        isReaping = true
        own { supervisor in
            while supervisor.mustReap, !supervisor.isStopping, !supervisor.power.isClosed {
                supervisor.mustReap = false
                await supervisor.reap()
            }
            supervisor.isReaping = false
        }
    }

    private func reap() async {
        let directories = parts.directories
        var obstacle: SystemCallError?
        var isMore = true
        while isMore, !isStopping {
            let slice = try? await onWorker { () -> Reaper in
                var reaper = Reaper(limit: 1000)
                for path in directories.leftovers() { reaper.remove(path) }
                return reaper
            }
            isMore = slice?.isExhausted ?? false
            obstacle = slice?.obstacle
        }
        guard !isStopping, let left = try? await onWorker({ directories.leftovers() }), !left.isEmpty else {
            reapingProblem = nil
            return reapingRetry.succeeded()
        }
        await reapByPlugin(obstacle)
    }

    /// - Parameter obstacle: what kept the core itself from it.
    private func reapByPlugin(_ obstacle: SystemCallError?) async {
        guard parts.host.provides(StorageReap.name) else {
            let reason = obstacle.map { ": \($0)" } ?? ""
            return note("Some of what was cleared away stays until a storage plugin comes\(reason)")
        }
        do throws(HostOperationError) {
            let reply = try await parts.host.call(StorageReap.self, EmptyPayload(), requestID: nil)
            logger.info("The storage plugin removed \(reply.removed) of what was cleared away")
            reapingProblem = nil
            reapingRetry.succeeded()
        } catch {
            note("Some of what was cleared away stays for now: \(error)")
            if error.code != .noProvider, error.code != .notSupported { retryReaping(after: reapingRetry.failed()) }
        }
    }

    /// Told once, however often it is tried.
    private func note(_ problem: String) {
        if problem != reapingProblem { logger.warning("\(problem)") }
        reapingProblem = problem
    }

    private func retryReaping(after delay: Duration) {
        reapingRetry.task?.cancel()
        let clock = parts.clock
        reapingRetry.task = Task(executorPreference: parts.executor) {
            do { try await clock.sleep(for: delay) } catch { return }
            await self.scheduleReaping()
        }
    }
}
