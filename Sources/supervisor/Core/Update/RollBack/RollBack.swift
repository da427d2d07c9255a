/// Which releases are good, which have failed, and which are on probation.
struct RollBack: Sendable {
    enum Verdict: Sendable, Hashable {
        /// Nothing to say yet; by then at the latest, if time alone decides.
        case open(until: Duration?)
        case good
        /// The release fails, and there is no good one to return to. Said once.
        case failsWithoutFallback(reason: String)
        /// The release is not run any more.
        case rejected(reason: String, goodCommit: String)
    }

    private(set) var releases: ReleaseRecords
    private var probations: [ServiceKey: Probation] = [:]

    init(releases: ReleaseRecords) {
        self.releases = releases
    }

    /// The application and service as they are to run: as the target says, or, where that release failed, as the last good
    /// one did.
    func releaseToRun(_ app: AppTarget, _ service: ServiceTarget) -> (app: AppTarget, service: ServiceTarget) {
        let key = ServiceKey(app: app.id, service: service.name)
        guard service.healthyAfter != nil, releases.rejects(app, service),
            let good = releases.good[key]?.app(app.id), let old = good.services.first
        else { return (app, service) }
        return (good, old)
    }

    // MARK: Probation

    /// Begins with the start of a container.
    mutating func begin(_ key: ServiceKey, container: String, healthyAfter: Duration) {
        probations[key] = Probation(container: container, healthyAfter: healthyAfter)
    }

    mutating func failedToStart(_ key: ServiceKey, _ message: String) {
        probations[key]?.failedToStart(message)
    }

    /// Its process ended, and we had not asked it to.
    mutating func died(_ key: ServiceKey, container: String, exitCode: Int?, at now: Duration) {
        guard probations[key]?.container == container else { return }
        probations[key]?.died(exitCode: exitCode, at: now)
    }

    /// Whether the release of the service may still have to be rolled back to the one before.
    func mayRollBack(_ key: ServiceKey) -> Bool {
        probations[key] != nil && releases.good[key] != nil
    }

    /// The target has another release than the one that failed: that is tried. Returns whether the records have to be saved.
    mutating func forgetRejection(by app: AppTarget, _ service: ServiceTarget) -> Bool {
        let key = ServiceKey(app: app.id, service: service.name)
        guard service.healthyAfter != nil, service.running, !releases.rejects(app, service) else { return false }
        return releases.rejected.removeValue(forKey: key) != nil
    }

    /// Looks whether the release of a service has shown that it is good or bad. After `good` and `rejected` the records
    /// have to be saved.
    ///
    /// - Parameters:
    ///   - digest: of the container that the target wants.
    ///   - isStopped: whether the service was stopped by request.
    ///   - exitCode: with which its process ended last, where that is known.
    mutating func judge(
        _ app: AppTarget,
        _ service: ServiceTarget,
        digest: String,
        _ instances: [CurrentState.Instance],
        isStopped: Bool,
        exitCode: Int?,
        at now: Duration
    ) -> Verdict {
        let key = ServiceKey(app: app.id, service: service.name)
        let release = ContainerBuilder.release(app, service)
        guard let healthyAfter = service.healthyAfter, service.running, !releases.rejects(app, service),
            releases.good[key]?.release != release, !isStopped,
            let instance = instances.first(where: { $0.key == key && $0.digest == digest })
        else {
            probations[key] = nil
            return .open(until: nil)
        }
        var probation = probations[key] ?? Probation(container: instance.id, healthyAfter: healthyAfter)
        if probation.container != instance.id {
            probation = Probation(container: instance.id, healthyAfter: healthyAfter)
        }
        switch probation.judge(instance.state, instance.health, exitCode: exitCode, at: now) {
        case .open(let until):
            probations[key] = probation
            return .open(until: until)
        case .good:
            probations[key] = nil
            releases.good[key] = ReleaseRecords.Good(app, service, imageID: instance.imageID)
            return .good
        case .bad(let reason):
            guard let good = releases.good[key] else {
                let isReported = probation.isReported
                probation.forgive()
                probations[key] = probation
                return isReported ? .open(until: nil) : .failsWithoutFallback(reason: reason)
            }
            probations[key] = nil
            releases.rejected[key] = .init(
                release: release,
                commit: app.commit,
                releaseID: app.releaseID,
                reason: reason
            )
            return .rejected(reason: reason, goodCommit: good.commit)
        }
    }

    // MARK: Questions

    /// What the update status says while a release of the target does not run; nil where none was rolled back.
    func message(_ target: TargetState?) -> String? {
        guard let target else { return nil }
        for app in target.apps {
            for service in app.services where service.healthyAfter != nil && releases.rejects(app, service) {
                let key = ServiceKey(app: app.id, service: service.name)
                guard let rejected = releases.rejected[key], let good = releases.good[key] else { continue }
                return "Release \(app.commit) of service \(service.name) of application \(app.id) was rolled back to "
                    + "\(good.commit): \(rejected.reason). It is tried again when the target changes"
            }
        }
        return nil
    }

    /// The commit of the target's release of a service that was rolled back.
    func rolledBackCommit(_ key: ServiceKey, _ target: TargetState?) -> String? {
        guard let app = target?[key.app], let service = app.services.first(where: { $0.name == key.service }),
            service.healthyAfter != nil, releases.rejects(app, service)
        else { return nil }
        return app.commit
    }

    /// The commits of the applications that are wholly as the target says: of those without a rejected release.
    func settledCommits(_ target: TargetState) -> [AppID: String] {
        var commits: [AppID: String] = [:]
        for app in target.apps where !app.services.contains(where: { releases.rejects(app, $0) }) {
            commits[app.id] = app.commit
        }
        return commits
    }

    /// Images to which a failing release may have to be rolled back.
    func imagesToKeep(_ target: TargetState?) -> Set<String> {
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

    /// The ids of those images: another one may have their name by now.
    func imageIDsToKeep(_ target: TargetState) -> Set<String> {
        let keys = target.apps.flatMap { app in
            app.services.filter { $0.healthyAfter != nil }.map { ServiceKey(app: app.id, service: $0.name) }
        }
        return Set(keys.compactMap { releases.good[$0]?.imageID })
    }

    /// The id of the good release's image where that release runs in place of the target's; nil otherwise.
    func imageID(_ key: ServiceKey, ifRunning service: ServiceTarget, of target: TargetState?) -> String? {
        guard let app = target?[key.app], let wanted = app.services.first(where: { $0.name == key.service }),
            wanted.healthyAfter != nil, releases.rejects(app, wanted), let good = releases.good[key],
            !good.imageID.isEmpty
        else { return nil }
        return good.imageID
    }

    /// Forgets services that are not in the target. Returns whether the records have to be saved.
    mutating func keep(only target: TargetState) -> Bool {
        var kept = releases
        kept.keep(
            only: Set(target.apps.flatMap { app in app.services.map { ServiceKey(app: app.id, service: $0.name) } })
        )
        guard kept != releases else { return false }
        releases = kept
        return true
    }
}
