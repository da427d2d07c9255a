import Logging
import SupervisorPorts

/// The update cycle: brings the device to its target state.
extension Supervisor {
    // MARK: Being woken

    /// Starts a check as soon as the one under way, if any, is through.
    func requestCheck() {
        cycle.request()
    }

    private func wakeUp() {
        cycle.wakeUp()
    }

    private func waitForRequest(_ limit: Duration) async {
        guard !cycle.isRequested, !isStopping else { return }
        let clock = parts.clock
        let timer = Task(executorPreference: parts.executor) {
            do { try await clock.sleep(for: limit) } catch { return }
            await self.wakeUp()
        }
        await withCheckedContinuation { continuation in
            // Asked again in here: another job may have had its turn since.
            cycle.wait(isStopping: isStopping, continuation)
        }
        timer.cancel()
    }

    public func requestUpdate(force: Bool) {
        memory.forgetRefusals()
        if force { cycle.requestForce() }
        refreshTarget()
    }

    // MARK: The cycle

    /// Runs cycles until the core stops: when something asks for one, after a failure, and at the poll interval.
    func runUpdates() async {
        while !isStopping {
            cycle.takeRequest()
            if power.isClosed {
                // Its end triggers a cycle.
                await waitForRequest(settings.pollInterval)
                continue
            }
            progress.checkBegan()
            let wait = await runCycle()
            progress.checkEnded(next: parts.clock.now + wait)
            reportLater()
            await waitForRequest(wait)
            forgetUnlockWatches()
        }
    }

    /// One cycle. Returns how long to wait for the next one unless something asks for it sooner.
    private func runCycle() async -> Duration {
        cycle.begin()
        defer { cycle.end() }
        do throws(SupervisorError) {
            await saveKeyIfNeeded()
            try await loadTarget()
            let isPending = try await converge()
            if cycle.failures > 0 { logger.notice("The update succeeded after \(cycle.failures) failures") }
            let message = rollBack.message(target)
            progress.succeeded(isPending: isPending, rollBack: message)
            publish(news.succeeded(isPending: isPending, isRolledBack: progress.hasFailed))
            cycle.succeeded(isPending: isPending)
            return cycle.wait(atMost: settings.pollInterval, at: parts.clock.now)
        } catch {
            progress.downloadEnded()
            if isStopping { return .zero }
            if power.isClosed {
                // What was asked for is done when the gate is open again.
                cycle.leaveForce()
                return .zero
            }
            // An engine that goes away is reported once, where that is noticed; its return starts a cycle.
            var isAway = false
            if case .away = engineState, error.code == .unavailable { isAway = true }
            if progress.failed(error.message), !isAway { logger.warning("The update failed: \(error.message)") }
            if !isAway { publish(news.failed(error)) }
            var generator = SystemRandomNumberGenerator()
            let pause = cycle.failed(pollInterval: settings.pollInterval, using: &generator)
            return cycle.wait(atMost: pause, at: parts.clock.now)
        }
    }

    /// More rounds than any target takes: each gets at least one thing done.
    private var maximumRounds: Int {
        50 + 4 * (target?.apps.reduce(0) { $0 + $1.services.count + $1.networks.count } ?? 0)
    }

    /// Returns whether something is pending whose end will be reported: then no retry is needed.
    private func converge() async throws(SupervisorError) -> Bool {
        var failed: [UpdateSubject: SupervisorError] = [:]
        for _ in 0..<maximumRounds {
            try admitChange()
            let plan = try await plan(failed: &failed)
            progress.planned(
                isPending: plan.isPending,
                hasDownloads: !plan.downloads.isEmpty,
                hasFailures: !failed.isEmpty
            )
            news.planned(isPending: plan.isPending)
            // What stops nothing waits for no download, which may take hours.
            if !plan.additions.isEmpty {
                try await execute(Set(plan.additions.map(\.app)), &failed) { $0.additions }
            } else if case .download(let key, let image)? = plan.downloads.first {
                do throws(SupervisorError) {
                    try await download(key, image)
                } catch {
                    try admitChange()
                    // One that a new target has cancelled is no failure. Others that want it are not to ask again.
                    guard isWanted(image) else { continue }
                    failed[.service(key)] = error
                    for (other, entry) in cycle.releasesToRun where entry.service.image == image {
                        failed[.service(other)] = error
                        await putBackAfterDownload(other, error)
                    }
                }
            } else if case .refresh(let key, let image)? = plan.downloads.first {
                try await refresh(key, image)
            } else if !plan.handOvers.isEmpty {
                try await disrupt(Set(plan.handOvers.map(\.app)), &failed, locking: .needsFree) { $0.handOvers }
            } else if !plan.disruptions.isEmpty {
                try await disrupt(Set(plan.disruptions.map(\.app)), &failed, locking: .takes) { $0.disruptions }
            } else {
                if let first = failed.min(by: { $0.key < $1.key }) { throw first.value }
                if plan.waits.isEmpty { await settle() }
                return !plan.waits.isEmpty
            }
        }
        throw SupervisorError(.failed, "the containers still differ from the target after many steps")
    }

    /// The device matches its target.
    private func settle() async {
        if let target { progress.settled(rollBack.settledCommits(target)) }
        await forgetReleasesOfOthers()
        memory.keep(services: Set(cycle.releasesToRun.keys), containers: Set(inventory.containers.map(\.id)))
        await saveBootMemory()
        await removeOldImages()
    }

    // MARK: Doing

    /// What a stage has to do with update locks.
    private enum Locking {
        /// It stops nothing that lives.
        case ignores
        /// It stops nothing yet, but what it begins will.
        case needsFree
        case takes
    }

    private func requireUnlocked(_ apps: Set<AppID>) async throws(SupervisorError) {
        guard !cycle.isForcing else { return }
        let blockers = try await heldLocks(of: apps).filter { !targetInForce.isOverridden($0.app) }
        guard blockers.isEmpty else {
            watchForUnlock(blockers)
            throw Self.lockedError(blockers)
        }
    }

    /// Does a stage that needs the update locks of `apps` to be free, or that takes them.
    private func disrupt(
        _ apps: Set<AppID>,
        _ failed: inout [UpdateSubject: SupervisorError],
        locking: Locking,
        _ stage: (UpdatePlan) -> [UpdateStep]
    ) async throws(SupervisorError) {
        cycle.takeForce()
        if !cycle.isForcing {
            let blockers = try await heldLocks(of: apps).filter { !targetInForce.isOverridden($0.app) }
            guard blockers.isEmpty else {
                watchForUnlock(blockers)
                // It may have been unlocked before the watch was there.
                if try await heldLocks(of: apps).contains(where: { !targetInForce.isOverridden($0.app) }) {
                    throw Self.lockedError(blockers)
                }
                forgetUnlockWatches()
                return
            }
        }
        publish(news.blocked(by: nil))
        try await execute(apps, &failed, locking: locking, stage)
    }

    /// Does one stage of the plan for some applications, alone with them: with their gates, and with their locks where
    /// something that lives is stopped. The plan is redone inside, since it may have changed while we waited.
    private func execute(
        _ apps: Set<AppID>,
        _ failed: inout [UpdateSubject: SupervisorError],
        locking: Locking = .ignores,
        _ stage: (UpdatePlan) -> [UpdateStep]
    ) async throws(SupervisorError) {
        var entered: [AppID] = []
        defer { for app in entered { leaveGate(app) } }
        for app in apps.sorted() {
            guard await enterGate(app, within: gatePatience(app)) else {
                throw SupervisorError(.locked, "another operation on application \(app) is under way")
            }
            entered.append(app)
        }
        try admitChange()
        try await requireDisk()
        let steps = stage(try await plan(failed: &failed)).filter { apps.contains($0.app) }
        guard !steps.isEmpty else { return }
        guard locking == .takes else {
            // A lock may have been taken while we waited for our turn.
            if locking == .needsFree { try await requireUnlocked(apps) }
            return try await perform(steps, &failed)
        }
        let taken = try await takeLocks(of: Set(steps.map(\.app)), force: cycle.isForcing)
        do throws(SupervisorError) {
            try await perform(steps, &failed)
        } catch {
            await release(taken)
            throw error
        }
        await release(taken)
    }

    private func perform(
        _ steps: [UpdateStep],
        _ failed: inout [UpdateSubject: SupervisorError]
    ) async throws(SupervisorError) {
        defer { progress.begin(.idle) }
        var apps: [AppID] = []
        for step in steps where !apps.contains(step.app) { apps.append(step.app) }
        for app in apps { try await performForApp(steps.filter { $0.app == app }, &failed) }
    }

    /// The new containers are made first: what the engine refuses costs nothing.
    private func performForApp(
        _ steps: [UpdateStep],
        _ failed: inout [UpdateSubject: SupervisorError]
    ) async throws(SupervisorError) {
        try admitChange()
        let successors = try await makeSuccessors(steps, &failed)
        let retired = try await stopRetired(steps, &failed)
        for step in steps {
            try admitChange()
            if let key = step.key {
                // Refused a moment ago.
                if failed[.service(key)] != nil { continue }
                // What it relies on failed a moment ago.
                if let reason = reasonToWait(key, failed) {
                    failed[step.subject] = reason
                    continue
                }
            }
            do throws(SupervisorError) {
                try await perform(step, successors)
            } catch {
                if error.code == .unavailable || error.code == .timeout { throw error }
                // A failure of one application does not block the update of another.
                for subject in step.subjects { failed[subject] = error }
            }
        }
        try await finishRetiring(retired, &failed)
    }

    /// Why a service is better left as it is: one that it depends on failed, and does not run. One that failed and runs on
    /// as it was is as good as before.
    func reasonToWait(_ key: ServiceKey, _ failed: [UpdateSubject: SupervisorError]) -> SupervisorError? {
        guard !failed.isEmpty, let service = cycle.releasesToRun[key]?.service else { return nil }
        for dependency in service.composition.dependencies {
            let other = ServiceKey(app: key.app, service: dependency.service)
            guard let error = failed[.service(other)] else { continue }
            if !inventory.isAlive(other) {
                return SupervisorError(.failed, "\(key.service) waits for \(other.service): \(error.message)")
            }
        }
        return nil
    }

    private func perform(
        _ step: UpdateStep,
        _ successors: [ServiceKey: String]
    ) async throws(SupervisorError) {
        switch step {
        // These are done in stages of their own.
        case .download, .refresh, .retire: break
        case .remove(let key, let containers):
            for id in containers { try await stopAndRemove(key, id) }
        case .makeWay(let key, let containers, let removing): try await makeWay(key, containers, removing: removing)
        case .replace(let key, _, let containers):
            guard let successor = successors[key] else { break }
            try await replace(key, containers, by: successor)
        case .handOver(let key, _):
            guard let successor = successors[key] else { break }
            try await startSuccessor(key, successor)
        case .halt(let key, let container):
            try await stopContainer(key, container)
            try await swapLocks(key)
        case .install(let key):
            guard let container = successors[key], cycle.releasesToRun[key]?.service.running == true else { break }
            memory.containerChanged(of: key)
            try await startJudged(key, container)
        case .start(let key, let container): try await startJudged(key, successors[key] ?? container)
        case .createNetwork(let app, let name): try await createNetwork(app, name)
        case .changeNetworks(let app, let names, let containers): try await changeNetworks(app, names, containers)
        case .removeNetwork(let app, let name, let id): await removeNetwork(app, name, id)
        case .createVolume(let app, let name): try await createVolume(app, name)
        }
    }
}
