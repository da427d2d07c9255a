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
    func swapLocks(_ key: ServiceKey) async throws(SupervisorError) {
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

    func recreate(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        let message: Logger.Message = "Recreating the container: the engine failed to start it, and it never ran"
        logger.notice(message, metadata: metadata(key, id))
        try await removeContainer(key, id)
        try await createAndStart(key)
    }

    func createAndStart(_ key: ServiceKey) async throws(SupervisorError) {
        guard let (app, service) = cycle.releasesToRun[key] else {
            throw SupervisorError(.failed, "\(key) is no longer in the target")
        }
        let id = try await createContainer(app, service)
        if service.running { try await startJudged(key, id) }
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
    func createContainer(_ app: AppTarget, _ service: ServiceTarget) async throws(SupervisorError) -> String {
        let key = ServiceKey(app: app.id, service: service.name)
        progress.begin(.installing)
        let host = try await hostAddress(service.composition, of: app.id)
        let specification = builder().specification(app: app, service: service, host: host)
        let directories = parts.directories
        // The engine refuses a container whose directories are missing.
        try await onWorker { try directories.ensure(key) }
        let id = try await engineStep("creating a container", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.create(specification)
        }
        forgetCrashes(of: key)
        memory.containerChanged(of: key)
        logger.notice("Created the container from \(service.image)", metadata: metadata(key, id))
        inventory.add(
            EngineContainer(
                id: id,
                name: specification.name,
                image: specification.image,
                imageID: "",
                labels: specification.labels,
                state: .created,
                networks: Dictionary(specification.networks.map { ($0.network, "") }) { first, _ in first }
            )
        )
        return id
    }

    /// Starts a container that does not run, with nothing in its lock directory.
    func startContainer(_ key: ServiceKey, _ id: String) async throws(SupervisorError) {
        progress.begin(.starting)
        await provideLockSpace(for: key.app)
        let directories = parts.directories
        let othersRun = inventory.othersRun(than: key)
        // With a predecessor that lives it shares the lock directory.
        let isSuccessor = inventory.isShared(key, with: id)
        let files = lockFiles
        try await onWorker {
            if isSuccessor {
                try directories.ensure(key)
            } else {
                try directories.prepareForStart(of: key, othersRun: othersRun)
            }
            if othersRun { files.removeOwnDataLock(of: key.app) }
        }
        inventory.weNoLongerStop(id)
        do throws(SupervisorError) {
            try await engineStep("starting a container", limit: .seconds(180)) { engine throws(EngineError) in
                try await engine.start(container: id)
            }
        } catch {
            if error.code == .failed { memory.failedToStart(key, container: id) }
            throw error
        }
        memory.started(key)
        inventory.setState(of: id, to: .running)
        logger.notice("Started the container", metadata: metadata(key, id))
    }

    func builder() -> ContainerBuilder {
        ContainerBuilder(identity: identity, apiKey: apiKey, apiPort: settings.apiPort, directories: parts.directories)
    }
}
