import Logging

/// The update cycle: makes the device what the target says.
extension Supervisor {
    // MARK: Being woken

    /// Starts a check as soon as the one under way, if any, is through.
    func trigger() {
        isTriggered = true
        wakeUp()
    }

    func wakeUp() {
        wake?.resume()
        wake = nil
    }

    private func waitForTrigger(_ limit: Duration) async {
        guard !isTriggered, !isStopping else { return }
        let clock = parts.clock
        let timer = Task(executorPreference: parts.executor) {
            do { try await clock.sleep(for: limit) } catch { return }
            await self.wakeUp()
        }
        await withCheckedContinuation { continuation in
            // Asked again in here: another job may have had its turn since.
            if isTriggered || isStopping { continuation.resume() } else { wake = continuation }
        }
        timer.cancel()
    }

    public func requestUpdate(force: Bool) {
        if force { pendingForce = true }
        trigger()
    }

    // MARK: The cycle

    /// Runs cycles until the core stops: when something asks for one, after a failure, and at the poll interval.
    func runUpdates() async {
        while !isStopping {
            isTriggered = false
            if power.isClosed {
                // Its end triggers a cycle.
                await waitForTrigger(settings.pollInterval)
                continue
            }
            let wait = await cycle()
            progress.nextAttempt = progress.hasFailed ? parts.clock.now + wait : nil
            await waitForTrigger(wait)
            forgetUnlockWatches()
        }
    }

    /// One cycle. Returns how long to wait for the next one unless something asks for it sooner.
    private func cycle() async -> Duration {
        activeForce = pendingForce
        pendingForce = false
        defer { activeForce = false }
        progress.nextAttempt = nil
        do throws(SupervisorError) {
            await saveKeyIfNeeded()
            try await loadTarget()
            try await converge()
            if progress.hasFailed { logger.notice("The update succeeded after \(retry.failures) failures") }
            progress = UpdateProgress()
            retry.succeeded()
            startsEverything = false
            return settings.pollInterval
        } catch {
            setStatus(.idle)
            progress.download = nil
            if isStopping { return .zero }
            if power.isClosed {
                // What was asked for is done when the gate is open again.
                if activeForce { pendingForce = true }
                return .zero
            }
            // An engine that is away is told once, where it went; its return starts a cycle.
            var isAway = false
            if case .away = engineState, error.code == .unavailable { isAway = true }
            progress.hasFailed = progress.isPending
            if progress.error != error.message, !isAway { logger.warning("The update failed: \(error.message)") }
            progress.error = error.message
            var generator = SystemRandomNumberGenerator()
            return retry.failed(pollInterval: settings.pollInterval, using: &generator)
        }
    }

    /// More rounds than any target takes.
    private static let maximumRounds = 50

    private func converge() async throws(SupervisorError) {
        var failed: [ServiceKey: SupervisorError] = [:]
        for _ in 0..<Self.maximumRounds {
            try refuseWhenStopping()
            let plan = try await plan(failed: &failed)
            progress.isPending = plan.isPending || !failed.isEmpty
            progress.isDownloaded = progress.isPending && plan.downloads.isEmpty && failed.isEmpty
            // What stops nothing waits for no download, which may take hours.
            if !plan.additions.isEmpty {
                try await execute(Set(plan.additions.map(\.key.app)), &failed) { $0.additions }
            } else if case .download(let key, let image)? = plan.downloads.first {
                do throws(SupervisorError) {
                    try await download(key, image)
                } catch {
                    try refuseWhenStopping()
                    // One that a new target has cancelled is no failure.
                    if isWanted(image) { failed[key] = error }
                }
            } else if !plan.disruptions.isEmpty {
                try await disrupt(plan, &failed)
            } else {
                if let first = failed.min(by: { $0.key < $1.key }) { throw first.value }
                await removeOldImages()
                return
            }
        }
        throw SupervisorError(.failed, "the engine does not settle on what the target says")
    }

    private func refuseWhenStopping() throws(SupervisorError) {
        if isStopping { throw SupervisorError(.unavailable, "the supervisor stops") }
        try refuseWhileFrozen()
    }

    /// Asks the engine, and compares with the target. Services that have failed in this cycle are left as they are.
    private func plan(failed: inout [ServiceKey: SupervisorError]) async throws(SupervisorError) -> UpdatePlan {
        var current = CurrentState(instances: try await refreshContainers())
        if target == nil, !current.instances.isEmpty { recoverTarget() }
        var desired: [DesiredService]?
        if let target {
            var services: [DesiredService] = []
            for app in target.apps {
                for service in app.services {
                    let key = ServiceKey(app: app.id, service: service.name)
                    do throws(SupervisorError) {
                        services.append(try await desiredService(app, service, &current))
                    } catch {
                        if error.code == .unavailable || error.code == .timeout { throw error }
                        failed[key] = error
                    }
                }
            }
            desired = services
        }
        desired?.removeAll { failed[$0.key] != nil }
        current.instances.removeAll { failed[$0.key] != nil }
        current.halted = halted
        current.startsEverything = startsEverything
        haveRun.formUnion(current.instances.lazy.filter(\.state.isAlive).map(\.key))
        current.haveRun = haveRun
        return UpdatePlanner.plan(current: current, target: desired)
    }

    private func desiredService(
        _ app: AppTarget,
        _ service: ServiceTarget,
        _ current: inout CurrentState
    ) async throws(SupervisorError) -> DesiredService {
        let host = try await hostAddress(networkMode: service.composition.networkMode)
        if !current.images.contains(service.image), try await hasImage(service.image) {
            current.images.insert(service.image)
        }
        return DesiredService(
            key: ServiceKey(app: app.id, service: service.name),
            digest: builder().digest(app: app, service: service, host: host),
            image: service.image,
            running: service.running,
            strategy: service.strategy,
            restart: service.composition.restart
        )
    }

    /// Every file of the target is lost: what runs says what should.
    private func recoverTarget() {
        let recovered = TargetState.recovered(from: containers)
        guard !recovered.apps.isEmpty else { return }
        logger.warning("No target is left, going on with what the containers say that they were made from")
        target = recovered
    }

    // MARK: Downloading

    func hasImage(_ reference: String) async throws(SupervisorError) -> Bool {
        try await engineStep("looking for the image \(reference)", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.image(reference) != nil
        }
    }

    private func download(_ key: ServiceKey, _ image: String) async throws(SupervisorError) {
        await rememberPulled(image)
        let credentials = await registryCredentials(for: image)
        try refuseWhenStopping()
        setStatus(.downloading)
        progress.download = 0
        logger.notice("Downloading \(image)", metadata: ["app-id": "\(key.app)", "service": "\(key.service)"])
        let engine = parts.engine
        let task = Task(executorPreference: parts.executor) { () async -> Result<Void, EngineError> in
            do throws(EngineError) {
                try await engine.pull(image, credentials: credentials) { percentage in
                    self.assumeIsolated { $0.progress.download = percentage }
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        download = (image, task)
        let result = await task.value
        download = nil
        progress.download = nil
        setStatus(.idle)
        if case .failure(let error) = result {
            // What did not come is not ours to remove later, should somebody else bring it.
            if try await !hasImage(image) {
                pulledImages.remove(image)
                await savePulledImages()
            }
            throw downloadError(error)
        }
        logger.notice("Downloaded \(image)", metadata: ["app-id": "\(key.app)", "service": "\(key.service)"])
    }

    /// Whether the target in force runs this image.
    func isWanted(_ image: String) -> Bool {
        target?.apps.contains { $0.services.contains { $0.image == image } } == true
    }

    private func rememberPulled(_ image: String) async {
        guard pulledImages.insert(image).inserted else { return }
        await savePulledImages()
    }

    private func savePulledImages() async {
        let images = pulledImages
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(pulledImages: images) }
        } catch {
            logger.error("Which images are ours could not be kept: \(error)")
        }
    }

    /// Removes images that we downloaded and that nothing wants any more.
    private func removeOldImages() async {
        guard let target, targetError == nil else { return }
        let wanted = Set(target.apps.flatMap { $0.services.map(\.image) })
        for image in pulledImages.subtracting(wanted).sorted() {
            do throws(SupervisorError) {
                try await engineStep("removing the image \(image)", limit: .seconds(120)) {
                    engine throws(EngineError) in
                    try await engine.remove(image: image)
                }
                logger.info("Removed the image \(image)")
            } catch {
                // Somebody else uses it, or the engine is away: the next successful cycle tries again.
                logger.info("The image \(image) stays for now: \(error)")
                continue
            }
            pulledImages.remove(image)
            await savePulledImages()
        }
    }

    // MARK: Doing

    private func disrupt(_ plan: UpdatePlan, _ failed: inout [ServiceKey: SupervisorError])
        async throws(SupervisorError)
    {
        let apps = Set(plan.disruptions.map(\.key.app))
        if pendingForce {
            activeForce = true
            pendingForce = false
        }
        if !activeForce {
            let blockers = try await heldLocks(of: apps).filter { !isOverridden($0.app) }
            guard blockers.isEmpty else {
                watchForUnlock(blockers)
                // It may have been unlocked before the watch was there.
                if try await heldLocks(of: apps).contains(where: { !isOverridden($0.app) }) {
                    throw Self.lockedError(blockers)
                }
                forgetUnlockWatches()
                return
            }
        }
        try await execute(apps, &failed, locking: true) { $0.disruptions }
    }

    /// Does one stage of the plan for some applications, alone with them: with their gates, and with their locks where
    /// something that lives is stopped. The plan is made again inside, since it may have changed while we waited.
    private func execute(
        _ apps: Set<AppID>,
        _ failed: inout [ServiceKey: SupervisorError],
        locking: Bool = false,
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
        try refuseWhenStopping()
        let steps = stage(try await plan(failed: &failed)).filter { apps.contains($0.key.app) }
        guard locking, !steps.isEmpty else { return try await perform(steps, &failed) }
        let taken = try await takeLocks(of: Set(steps.map(\.key.app)), force: activeForce)
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
        _ failed: inout [ServiceKey: SupervisorError]
    ) async throws(SupervisorError) {
        defer { setStatus(.idle) }
        for step in steps {
            try refuseWhenStopping()
            do throws(SupervisorError) {
                try await perform(step)
            } catch {
                if error.code == .unavailable || error.code == .timeout { throw error }
                // What is wrong with one application keeps no other from its update.
                failed[step.key] = error
            }
        }
    }

    private func perform(_ step: UpdateStep) async throws(SupervisorError) {
        switch step {
        case .download: break
        case .remove(let key, let containers):
            for id in containers { try await stopAndRemove(key, id) }
        case .replace(let key, let containers):
            for id in containers { try await stopAndRemove(key, id) }
            try await install(key)
        case .halt(let key, let container):
            try await stopContainer(key, container)
            try await swapLocks(key)
        case .install(let key): try await install(key)
        case .start(let key, let container): try await startContainer(key, container)
        }
    }

    private func install(_ key: ServiceKey) async throws(SupervisorError) {
        guard let app = target?[key.app], let service = app.services.first(where: { $0.name == key.service }) else {
            throw SupervisorError(.failed, "\(key) is no longer in the target")
        }
        let id = try await createContainer(app, service)
        if service.running { try await startContainer(key, id) }
    }

    func setStatus(_ status: UpdateProgress.Status) {
        progress.status = status
    }
}
