import HostOperations
import LinuxSupport
import Logging
import SupervisorPorts

/// Removal of what was renamed away: by the core as far as it may, the rest by the storage plugin.
extension Supervisor {
    /// Removes what was renamed away, a slice at a time. Nothing is begun while a reboot or power-off is under way.
    func scheduleReaping() {
        guard reaping.begin(isPossible: !isStopping && !power.isClosed) else { return }
        own { supervisor in
            while supervisor.reaping.beginRound(isPossible: !supervisor.isStopping && !supervisor.power.isClosed) {
                await supervisor.reap()
            }
        }
    }

    private func reap() async {
        let directories = parts.directories
        let cancellation = reaping.cancellation
        var obstacle: SystemCallError?
        var isMore = true
        while isMore, !isStopping {
            let slice = try? await onReaper { () -> Reaper in
                var reaper = Reaper(limit: 1000) { cancellation.isCancelled }
                for path in directories.leftovers() { reaper.remove(path) }
                return reaper
            }
            isMore = slice?.isExhausted ?? false
            obstacle = slice?.obstacle
        }
        guard !isStopping, let left = try? await onWorker({ directories.leftovers() }), !left.isEmpty else {
            return reaping.succeeded()
        }
        await reapByPlugin(obstacle)
    }

    /// Not on the worker, which others wait for.
    private nonisolated func onReaper<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await (parts.reaper ?? parts.worker).run(body)
    }

    /// - Parameter obstacle: what kept the core itself from it.
    private func reapByPlugin(_ obstacle: SystemCallError?) async {
        guard parts.host.provides(StorageReap.name) else {
            let reason = obstacle.map { ": \($0)" } ?? ""
            return warnOnce("Some deleted data cannot be removed until there is a storage plugin\(reason)")
        }
        do throws(HostOperationError) {
            let reply = try await parts.host.call(StorageReap.self, EmptyPayload(), requestID: nil)
            logger.info("The storage plugin removed \(reply.removed) deleted files and directories")
            reaping.succeeded()
        } catch {
            warnOnce("Some deleted data is not removed yet: \(error)")
            guard error.code != .noProvider, error.code != .notSupported else { return }
            reaping.retry(by: after(reaping.failed()) { $0.scheduleReaping() })
        }
    }

    private func warnOnce(_ problem: String) {
        if reaping.recordProblem(problem) { logger.warning("\(problem)") }
    }
}
