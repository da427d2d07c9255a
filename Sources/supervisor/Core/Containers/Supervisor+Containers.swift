import JSON
import Logging

/// The single steps that every action consists of. The caller holds the application's gate.
extension Supervisor {
    var instances: [CurrentState.Instance] { inventory.instances }

    private func metadata(_ key: ServiceKey, _ id: String) -> Logger.Metadata {
        ["app-id": "\(key.app)", "service": "\(key.service)", "container-id": "\(id)"]
    }

    /// Stops a container and waits until its process is gone.
    func stopContainer(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        progress.begin(.stopping)
        logger.info("Stopping the container", metadata: metadata(key, id))
        inventory.weStop(id)
        // A process that does not end within its grace period is killed, which takes a moment.
        try await engineStep("stopping a container", limit: targetInForce.stopTimeout(key.app) + .seconds(60)) {
            engine throws(EngineError) in try await engine.stop(container: id, timeout: nil)
        }
        forgetCrashes(of: key)
        inventory.setState(of: id, to: .exited)
    }

    /// Replaces the lock directory of a service whose container has just stopped: no lock outlives it.
    ///
    /// Others may start the container meanwhile. As long as it holds no lock it is stopped once more: it may have the
    /// directory that is moved away, where a lock of it would not be seen.
    func swapLocks(_ key: ServiceKey) async throws(SupervisorError) {
        for _ in 0..<3 {
            if !inventory.isAlive(key) {
                try await replaceLockDirectory(key)
                if !inventory.isAlive(key) { return }
            }
            let held = try await heldLocks(of: [key.app])
            guard !held.contains(where: { $0.service == key.service }) else { break }
            for instance in inventory.instances(of: key) where instance.state.isAlive {
                try await stopContainer(key, instance.id)
            }
        }
        throw SupervisorError(
            .failed,
            "the container of \(key.service) was started by others in the middle of the operation"
        )
    }

    private func replaceLockDirectory(_ key: ServiceKey) async throws(SupervisorError) {
        let directories = parts.directories
        let othersRun = inventory.othersRun(than: key)
        // Also after a failure: what was renamed away may be what fills the file system.
        defer { scheduleReaping() }
        try await onWorker {
            try directories.swapLocks(of: key)
            if !othersRun { directories.removeDataLock(of: key.app) }
        }
    }

    func removeContainer(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        try await engineStep("removing a container", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.remove(container: id)
        }
        inventory.remove(container: id)
        memory.containerChanged(of: key)
        logger.info("Removed the container", metadata: metadata(key, id))
    }

    /// Whether a container is better recreated than started once more: the engine failed to start it, it never ran, so
    /// that nothing is lost with it, and it was not recreated itself. An engine that was killed while it
    /// started the container may have left something that keeps it from ever starting ("task already exists").
    func shouldRecreate(_ key: ServiceKey, _ id: String) -> Bool {
        memory.hasFailedToStart(key, container: id) && inventory.hasNeverStarted(id)
    }

    /// Makes the container that the last plan wants, or takes the one that was made for it already.
    func makeSuccessor(_ key: ServiceKey, _ made: String?) async throws(SupervisorError) -> String {
        guard let (app, service) = cycle.releasesToRun[key] else {
            throw SupervisorError(.failed, "\(key) is no longer in the target")
        }
        if let made {
            guard shouldRecreate(key, made) else { return made }
            let message: Logger.Message = "Recreating the container: the engine failed to start it, and it never ran"
            logger.notice(message, metadata: metadata(key, made))
            try await removeContainer(key, made)
        }
        return try await createContainer(app, service, image: try await imageOfGoodRelease(key, service))
    }

    /// Starts a container of which a failure to start may be the release's.
    func startJudged(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        // Before it starts: a process that ends at once has done so, and been started again, before the next plan.
        if let healthyAfter = cycle.releasesToRun[key]?.service.healthyAfter {
            rollBack.begin(key, container: id, healthyAfter: healthyAfter)
        }
        do throws(SupervisorError) {
            try await startContainer(key, id)
        } catch {
            if await repairImage(key, id, error) {
                let repaired = try await makeSuccessor(key, nil)
                return try await startContainer(key, repaired)
            }
            // That may be the engine's doing; if it is the release's, it happens to the next container too.
            if error.code == .failed, !shouldRecreate(key, id) { rollBack.failedToStart(key, error.message) }
            throw error
        }
    }

    /// Stop, swap, remove. The lock directory stays where another container of the service lives: it is that one's too.
    func stopAndRemove(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        try await stopContainer(key, id)
        if !inventory.isShared(key, with: id) { try await swapLocks(key) }
        try await removeContainer(key, id)
        memory.forgetFailedStart(of: key)
    }

    /// Makes the service's container. Returns its id.
    ///
    /// - Parameter image: the image's id, where its name no longer stands for what the container is to be made from.
    func createContainer(
        _ app: AppTarget,
        _ service: ServiceTarget,
        image: String? = nil
    ) async throws(SupervisorError) -> String {
        let key = ServiceKey(app: app.id, service: service.name)
        progress.begin(.installing)
        let host = try await hostAddress(service.composition, of: app.id)
        var specification = builder().specification(app: app, service: service, host: host)
        if let image { specification.image = image }
        specification.labels[ContainerLabel.generation] = String(nextGeneration(of: key))
        let directories = parts.directories
        // The engine refuses a container whose directories are missing.
        try await onWorker { try directories.ensure(key) }
        let digest = specification.labels[ContainerLabel.configuration] ?? ""
        let id = try await create(&specification, names: ContainerName.candidates(key, digest: digest))
        forgetCrashes(of: key)
        inventory.setDefinition(of: id, to: JSONValue.object(service.definition).text)
        logger.notice("Created the container from \(service.image)", metadata: metadata(key, id))
        inventory.add(
            EngineContainer(
                id: id,
                name: specification.name,
                image: specification.image,
                imageID: image ?? "",
                labels: specification.labels,
                state: .created,
                networks: Dictionary(specification.networks.map { ($0.network, "") }) { first, _ in first }
            )
        )
        return id
    }

    private func nextGeneration(of key: ServiceKey) -> Int {
        let generations = instances.lazy.filter { $0.key == key }.map(\.generation)
        let (next, isTooLarge) = (generations.max() ?? 0).addingReportingOverflow(1)
        return isTooLarge ? 0 : next
    }

    /// Makes a container under the first of the names that is not taken.
    private func create(
        _ specification: inout ContainerSpecification,
        names: [String]
    ) async throws(SupervisorError) -> String {
        let taken = Set(inventory.containers.map(\.name))
        var conflict = EngineError(.conflict, "every name for the container is taken")
        for name in names where !taken.contains(name) {
            specification.name = name
            let named = specification
            let created = try await engineStep("creating a container", limit: .seconds(120)) {
                engine throws(EngineError) -> Result<String, EngineError> in
                do throws(EngineError) {
                    return .success(try await engine.create(named))
                } catch {
                    // A container that is not ours may have the name.
                    guard error.code == .conflict else { throw error }
                    return .failure(error)
                }
            }
            switch created {
            case .success(let id): return id
            case .failure(let error): conflict = error
            }
        }
        throw SupervisorError(conflict)
    }

    /// Asks the engine whether it would make the service's container, before anything is stopped for it.
    ///
    /// - Parameters:
    ///   - image: from which it is made; the service's own may still have to be downloaded.
    ///   - onNetworks: false where the networks are still to be made.
    func tryOut(_ key: ServiceKey, image: String? = nil, onNetworks: Bool) async throws(SupervisorError) {
        guard let (app, service) = cycle.releasesToRun[key] else { return }
        let host = try await hostAddress(service.composition, of: app.id)
        var specification = builder().specification(app: app, service: service, host: host)
        specification.name = ContainerName.trialPrefix + specification.name
        specification.labels = [ContainerLabel.app: app.id.description, ContainerLabel.trial: "1"]
        if let image { specification.image = image }
        if !onNetworks, !specification.networks.isEmpty {
            specification.networks = []
            specification.networkMode = "none"
        }
        let directories = parts.directories
        try await onWorker { try directories.ensure(key) }
        let trial = specification
        let id = try await engineStep("trying out a container", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.create(trial)
        }
        try await engineStep("removing a container", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.remove(container: id)
        }
    }

    /// Removes what a supervisor that was killed while it tried something out has left.
    func removeTrials() async throws(SupervisorError) {
        for id in inventory.trials {
            try await engineStep("removing a container", limit: .seconds(120)) { engine throws(EngineError) in
                try await engine.remove(container: id)
            }
            inventory.remove(container: id)
        }
    }

    /// Starts a container that does not run, with nothing in its lock directory.
    func startContainer(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        progress.begin(.starting)
        await provideLockSpace(for: key.app)
        // Others may have started it since it was listed: then its lock directory is in use.
        let detail = try await engineStep("looking at a container", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.inspect(container: id)
        }
        if let state = detail?.container.state { inventory.setState(of: id, to: state) }
        guard detail?.container.state.isAlive != true else { return await containerRuns(key, id) }
        let directories = parts.directories
        let othersRun = inventory.othersRun(than: key)
        // With a predecessor that lives it shares the lock directory.
        let isSuccessor = inventory.isShared(key, with: id)
        let files = lockFiles
        let former = try await onWorker { () -> String? in
            defer { if othersRun { files.removeOwnDataLock(of: key.app) } }
            if isSuccessor {
                try directories.ensure(key)
                return nil
            }
            return try directories.prepareForStart(of: key, othersRun: othersRun)
        }
        inventory.weNoLongerStop(id)
        do throws(SupervisorError) {
            let isOurDoing = try await engineStep("starting a container", limit: .seconds(180)) {
                engine throws(EngineError) in try await engine.start(container: id)
            }
            // Somebody was faster. Its process holds on to the directory that was moved away meanwhile.
            if !isOurDoing, let former { try await onWorker { try directories.restoreLocks(of: key, from: former) } }
        } catch {
            if error.code == .failed { memory.failedToStart(key, container: id) }
            throw error
        }
        inventory.setState(of: id, to: .running)
        await containerRuns(key, id)
        logger.notice("Started the container", metadata: metadata(key, id))
    }

    private func containerRuns(_ key: ServiceKey, _ id: String) async {
        memory.started(key, container: id, endsByItself: endsByItself(key))
        await saveBootMemory()
    }

    /// Whether the process of a service is not started again after its end, by the policy of the service.
    func endsByItself(_ key: ServiceKey) -> Bool {
        let service = cycle.releasesToRun[key]?.service ?? target?[key.app]?.services.first { $0.name == key.service }
        return switch service?.composition.restart {
        case .no?, .onFailure?: true
        case .always?, .unlessStopped?, nil: false
        }
    }

    /// Saves it where it has changed.
    func saveBootMemory() async {
        guard let boot = memory.unsavedBoot else { return }
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(boot: boot) }
            memory.saved(boot)
        } catch {
            logger.error("What has run since the boot could not be saved: \(error)")
        }
    }

    func builder() -> ContainerBuilder {
        ContainerBuilder(
            identity: identity,
            apiKey: apiKey,
            apiPort: settings.apiPort,
            reportedVersion: settings.reportedVersion,
            deviceName: target?.name ?? "",
            directories: parts.directories
        )
    }
}
