import Logging
import SupervisorPorts

/// Releases that fail give way to the last good one, where their label asks for it.
extension Supervisor {
    /// The application and service as they are to run: as the target says, or, where that release failed, as the last good
    /// one did.
    func inForce(_ app: AppTarget, _ service: ServiceTarget) -> (app: AppTarget, service: ServiceTarget) {
        let key = ServiceKey(app: app.id, service: service.name)
        guard service.healthyAfter != nil, releases.rejects(app, service),
            let good = releases.good[key]?.app(app.id), let old = good.services.first
        else { return (app, service) }
        return (good, old)
    }

    /// Looks whether the release of a service has shown that it is good or bad.
    ///
    /// - Parameter digest: of the container that the target wants.
    func judge(_ app: AppTarget, _ service: ServiceTarget, digest: String, _ instances: [CurrentState.Instance]) async {
        let key = ServiceKey(app: app.id, service: service.name)
        guard let healthyAfter = service.healthyAfter, service.running else {
            probations[key] = nil
            return
        }
        if releases.rejects(app, service) {
            probations[key] = nil
            return
        }
        if releases.rejected[key] != nil {
            releases.rejected[key] = nil
            await saveReleases()
        }
        let release = ContainerBuilder.release(app, service)
        guard releases.good[key]?.release != release,
            let instance = instances.first(where: { $0.key == key && $0.digest == digest }),
            !memory.stoppedByRequest.contains(key)
        else {
            probations[key] = nil
            return
        }
        var probation = probations[key] ?? Probation(container: instance.id, healthyAfter: healthyAfter)
        if probation.container != instance.id {
            probation = Probation(container: instance.id, healthyAfter: healthyAfter)
        }
        // A process that ends at once has done so before anybody was there to hear of it.
        let exitCode = crashes.exitCode(of: key)
        switch probation.judge(instance.state, instance.health, exitCode: exitCode, at: parts.clock.now) {
        case .open(let until):
            probations[key] = probation
            if let until { wakeNoLaterThan(until) }
        case .good:
            probations[key] = nil
            releases.good[key] = ReleaseRecords.Good(app, service)
            await saveReleases()
            logger.info("The release \(app.commit) is good", metadata: metadata(key))
        case .bad(let reason):
            guard let good = releases.good[key] else {
                if !probation.isTold {
                    logger.warning(
                        "The release \(app.commit) fails, and there is none to go back to: \(reason)",
                        metadata: metadata(key)
                    )
                }
                probation.forgive()
                probations[key] = probation
                return
            }
            probations[key] = nil
            releases.rejected[key] = .init(
                release: release,
                commit: app.commit,
                releaseID: app.releaseID,
                reason: reason
            )
            await saveReleases()
            publish(.updateRolledBack(key, reason))
            logger.error(
                "The release \(app.commit) gives way to \(good.commit): \(reason)",
                metadata: metadata(key)
            )
        }
    }

    private func metadata(_ key: ServiceKey) -> Logger.Metadata {
        ["app-id": "\(key.app)", "service": "\(key.service)"]
    }

    /// What the update status says while a release of the target stands back; nil where none does.
    var rollBackMessage: String? {
        guard let target else { return nil }
        for app in target.apps {
            for service in app.services where service.healthyAfter != nil && releases.rejects(app, service) {
                let key = ServiceKey(app: app.id, service: service.name)
                guard let rejected = releases.rejected[key], let good = releases.good[key] else { continue }
                return "Release \(app.commit) of service \(service.name) of application \(app.id) gave way to "
                    + "\(good.commit): \(rejected.reason). It is tried again when the target changes"
            }
        }
        return nil
    }

    /// Images that a failing release may have to give way to.
    var imagesToGoBackTo: Set<String> {
        guard let target else { return [] }
        var images: Set<String> = []
        for app in target.apps {
            // With this strategy the disk is too small for two.
            for service in app.services where service.healthyAfter != nil && service.strategy != .deleteThenDownload {
                let good = releases.good[ServiceKey(app: app.id, service: service.name)]
                if let image = good?.app(app.id)?.services.first?.image { images.insert(image) }
            }
        }
        return images
    }

    func forgetReleasesOfOthers() async {
        guard let target = targetInForce.confirmed else { return }
        var kept = releases
        kept.keep(
            only: Set(target.apps.flatMap { app in app.services.map { ServiceKey(app: app.id, service: $0.name) } })
        )
        guard kept != releases else { return }
        releases = kept
        await saveReleases()
    }

    private func saveReleases() async {
        let json = releases.json
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(releases: json) }
        } catch {
            logger.error("Which releases are good could not be kept: \(error)")
        }
    }
}
