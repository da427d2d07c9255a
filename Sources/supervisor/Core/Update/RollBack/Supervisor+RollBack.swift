import Logging
import SupervisorPorts

/// Rolling releases that fail back to the last good one, where their label asks for it.
extension Supervisor {
    /// Looks whether the release of a service has shown that it is good or bad.
    ///
    /// - Parameter digest: of the container that the target wants.
    func judge(_ app: AppTarget, _ service: ServiceTarget, digest: String, _ instances: [CurrentState.Instance]) async {
        let key = ServiceKey(app: app.id, service: service.name)
        if rollBack.forgetRejection(by: app, service) { await saveReleases() }
        let verdict = rollBack.judge(
            app,
            service,
            digest: digest,
            instances,
            isStopped: memory.stoppedByRequest.contains(key),
            // A process that ends at once has done so before its events were followed.
            exitCode: crashes.exitCode(of: key),
            at: parts.clock.now
        )
        let metadata: Logger.Metadata = ["app-id": "\(key.app)", "service": "\(key.service)"]
        switch verdict {
        case .open(let until):
            if let until { cycle.dueNoLaterThan(until) }
        case .good:
            await saveReleases()
            logger.info("The release \(app.commit) is good", metadata: metadata)
        case .failsWithoutFallback(let reason):
            let text = "The release \(app.commit) fails, and there is none to roll back to: \(reason)"
            logger.warning("\(text)", metadata: metadata)
        case .rejected(let reason, let goodCommit):
            await saveReleases()
            publish(.updateRolledBack(key, reason))
            logger.error("The release \(app.commit) is rolled back to \(goodCommit): \(reason)", metadata: metadata)
        }
    }

    func forgetReleasesOfOthers() async {
        guard let target = targetInForce.confirmed, rollBack.keep(only: target) else { return }
        await saveReleases()
    }

    private func saveReleases() async {
        let json = rollBack.releases.json
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(releases: json) }
        } catch {
            logger.error("The list of good releases could not be saved: \(error)")
        }
    }
}
