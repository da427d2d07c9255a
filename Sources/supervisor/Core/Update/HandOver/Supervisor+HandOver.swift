import Logging
import SupervisorPorts

/// Handing over from one container of a service to the next: both share the service's lock directory, and the old one goes
/// when the new one has made `handover-complete` there, or when its time is up.
extension Supervisor {
    /// Of the services whose predecessor and successor both live, those where the predecessor may go now.
    func finishedHandOvers(_ services: [(key: ServiceKey, timeout: Duration)]) async -> Set<ServiceKey> {
        let keys = Set(services.map(\.key))
        for token in handOvers.keep(only: keys) { parts.watcher.unwatch(token) }
        var finished: Set<ServiceKey> = []
        let directories = parts.directories
        for (key, timeout) in services {
            // Watched first: what comes after the look is noticed.
            let since = handOvers.since(key) ?? beginHandOver(key)
            let end = since + timeout
            let isSaid = try? await onWorker { directories.hasHandedOver(key) }
            // As long as the new release may have to be rolled back to the old one, that runs on.
            if rollBack.mayRollBack(key) { continue }
            if isSaid == true || parts.clock.now >= end {
                if handOvers.end(key) {
                    logger.notice(
                        isSaid == true ? "The new container has taken over" : "The time for the hand-over has run out",
                        metadata: ["app-id": "\(key.app)", "service": "\(key.service)"]
                    )
                }
                finished.insert(key)
            } else {
                cycle.dueNoLaterThan(end)
            }
        }
        return finished
    }

    /// Returns when it began: now.
    private func beginHandOver(_ key: ServiceKey) -> Duration {
        let now = parts.clock.now
        let token = try? parts.watcher.watch(parts.directories.locks(of: key)) { name in
            if let name, !AppDirectories.handOverNames.contains(name) { return }
            self.assumeIsolated { $0.requestCheck() }
        }
        handOvers.begin(key, watch: token, at: now)
        return now
    }

    /// Starts the successor beside the container that runs.
    func startSuccessor(_ key: ServiceKey, _ container: String) async throws(SupervisorError) {
        let directories = parts.directories
        // What an earlier successor said does not count.
        try await onWorker { try directories.clearHandOver(of: key) }
        try await startJudged(key, container)
    }
}
