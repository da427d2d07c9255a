import Logging
import SupervisorPorts

/// A successor that runs beside its predecessor.
struct HandOver: Sendable {
    /// When both were first seen to run.
    var since: Duration
    /// Of the directory in which the successor says that it has taken over.
    var watch: WatchToken?
    /// Whether its end was told already.
    var isTold = false
}

/// Handing over from one container of a service to the next: both share the service's lock directory, and the old one goes
/// when the new one has made `handover-complete` there, or when its time is up.
extension Supervisor {
    /// Of the services whose predecessor and successor both live, those where the predecessor may go now.
    func finishedHandOvers(_ services: [(key: ServiceKey, timeout: Duration)]) async -> Set<ServiceKey> {
        let keys = Set(services.map(\.key))
        for key in handOvers.keys.filter({ !keys.contains($0) }) { forgetHandOver(key) }
        var finished: Set<ServiceKey> = []
        let directories = parts.directories
        for (key, timeout) in services {
            // Watched first: what comes after the look is noticed.
            let handOver = handOvers[key] ?? beginHandOver(key)
            let end = handOver.since + timeout
            let isSaid = try? await onWorker { directories.hasHandedOver(key) }
            // As long as the new release may have to give way to the old one, that runs on.
            if probations[key] != nil, releases.good[key] != nil { continue }
            if isSaid == true || parts.clock.now >= end {
                if !handOver.isTold {
                    logger.notice(
                        isSaid == true ? "The new container has taken over" : "The time for the hand-over is up",
                        metadata: ["app-id": "\(key.app)", "service": "\(key.service)"]
                    )
                }
                handOvers[key]?.isTold = true
                finished.insert(key)
            } else {
                wakeNoLaterThan(end)
            }
        }
        return finished
    }

    private func beginHandOver(_ key: ServiceKey) -> HandOver {
        let token = try? parts.watcher.watch(parts.directories.locks(of: key)) { name in
            if let name, !AppDirectories.handOverNames.contains(name) { return }
            self.assumeIsolated { $0.trigger() }
        }
        let handOver = HandOver(since: parts.clock.now, watch: token)
        handOvers[key] = handOver
        return handOver
    }

    private func forgetHandOver(_ key: ServiceKey) {
        if let token = handOvers[key]?.watch { parts.watcher.unwatch(token) }
        handOvers[key] = nil
    }

    /// Starts the successor beside the container that runs.
    func startSuccessor(_ key: ServiceKey) async throws(SupervisorError) {
        let directories = parts.directories
        // What an earlier successor said does not count.
        try await onWorker { try directories.clearHandOver(of: key) }
        try await install(key)
    }
}
