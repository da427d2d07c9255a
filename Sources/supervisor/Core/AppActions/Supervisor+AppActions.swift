import Logging

/// What the API asks for, one application at a time.
extension Supervisor {
    public func restart(_ id: AppID, force: Bool) async throws(SupervisorError) {
        _ = try await operate(id) { supervisor throws(SupervisorError) in
            try await supervisor.recreateAll(id, force: force, purging: false)
            return ""
        }
    }

    public func purge(_ id: AppID, force: Bool) async throws(SupervisorError) {
        _ = try await operate(id) { supervisor throws(SupervisorError) in
            try await supervisor.recreateAll(id, force: force, purging: true)
            return ""
        }
        scheduleReaping()
    }

    public func stop(_ id: AppID, force: Bool) async throws(SupervisorError) -> String {
        try await operate(id, onOneContainer: true) { supervisor throws(SupervisorError) in
            let container = try await supervisor.container(of: id)
            // A successor may run beside it.
            let alive = supervisor.inventory.instances(of: container.key).filter(\.state.isAlive)
            guard !alive.isEmpty else {
                supervisor.memory.stoppedByRequest(container.key)
                return container.id
            }
            try await supervisor.locked(id, force: force) { supervisor throws(SupervisorError) in
                for instance in alive { try await supervisor.stopContainer(instance.key, instance.id) }
                supervisor.memory.stoppedByRequest(container.key)
                try await supervisor.swapLocks(container.key)
            }
            return container.id
        }
    }

    public func start(_ id: AppID) async throws(SupervisorError) -> String {
        do throws(SupervisorError) {
            return try await operate(id, onOneContainer: true) { supervisor throws(SupervisorError) in
                let container = try await supervisor.container(of: id)
                if container.state == .running || container.state == .restarting { return container.id }
                // The engine starts no paused container, and preparing for it would drop the lock of a process that lives.
                guard container.state != .paused else {
                    throw SupervisorError(.failed, "The container of application \(id) is paused")
                }
                try await supervisor.startContainer(container.key, container.id)
                return container.id
            }
        } catch {
            // The lock is not honoured by start: a caller who came too late for their turn may try again.
            guard error.code == .locked else { throw error }
            throw SupervisorError(.busy, error.message, retryAfter: 5)
        }
    }

    // MARK: Parts

    /// Runs an action on one application: known, alone with it, and not cancelled with its caller.
    ///
    /// - Parameter onOneContainer: refuses an application with several services.
    private func operate(
        _ id: AppID,
        onOneContainer: Bool = false,
        _ body: @escaping @Sendable (isolated Supervisor) async throws(SupervisorError) -> String
    ) async throws(SupervisorError) -> String {
        try admitChange()
        // Before the engine has answered once, it is not known which applications there are.
        if inventory.hasListed { try refuseUnknown(id, onOneContainer: onOneContainer) }
        return try await owned { supervisor throws(SupervisorError) in
            try await supervisor.runAlone(id, onOneContainer: onOneContainer, body).get()
        }
    }

    private func runAlone(
        _ id: AppID,
        onOneContainer: Bool,
        _ body: @Sendable (isolated Supervisor) async throws(SupervisorError) -> String
    ) async -> Result<String, SupervisorError> {
        guard await enterGate(id, within: gatePatience(id)) else {
            return .failure(SupervisorError(.locked, "Another operation on application \(id) is under way"))
        }
        defer {
            progress.begin(.idle)
            leaveGate(id)
        }
        do throws(SupervisorError) {
            // The operation may have waited for its turn until now.
            try admitChange()
            try await refreshContainers()
            try refuseUnknown(id, onOneContainer: onOneContainer)
            try await requireDisk()
            return .success(try await body(self))
        } catch {
            logger.warning("An operation failed: \(error.message)", metadata: ["app-id": "\(id)"])
            // The update cycle completes whatever was left half done.
            if error.code != .locked { requestCheck() }
            return .failure(error)
        }
    }

    private func refuseUnknown(_ id: AppID, onOneContainer: Bool) throws(SupervisorError) {
        let keys = Set(inventory.instances(of: id).map(\.key))
        guard !keys.isEmpty || target?[id] != nil else {
            throw SupervisorError(.notFound, "There is no application \(id) on this device")
        }
        guard onOneContainer else { return }
        let count = max(keys.count, target?[id]?.services.count ?? 0)
        guard count <= 1 else { throw Self.severalServices(id, count) }
    }

    static func severalServices(_ id: AppID, _ count: Int) -> SupervisorError {
        SupervisorError(
            .invalidArgument,
            "Application \(id) has \(count) services, this endpoint is about one container"
        )
    }

    private func container(of id: AppID) async throws(SupervisorError) -> CurrentState.Instance {
        let instances = inventory.instances(of: id)
        guard let instance = instances.first(where: \.state.isAlive) ?? instances.first else {
            throw SupervisorError(.unavailable, "Application \(id) has no container yet", retryAfter: 5)
        }
        return instance
    }

    /// Does `body` with the update lock of the application.
    private func locked(
        _ id: AppID,
        force: Bool,
        _ body: (isolated Supervisor) async throws(SupervisorError) -> Void
    ) async throws(SupervisorError) {
        let taken = try await takeLocks(of: [id], force: force)
        do throws(SupervisorError) {
            try await body(self)
        } catch {
            await release(taken)
            throw error
        }
        await release(taken)
    }

    /// All containers of the application are recreated from what they were created from, with an empty /data if that is asked
    /// for; a pending update is the update cycle's business.
    ///
    /// Nothing is stopped before the engine has accepted every new container, and nothing is removed before it runs.
    private func recreateAll(_ id: AppID, force: Bool, purging: Bool) async throws(SupervisorError) {
        try await refreshNetworks()
        let own = inventory.containers(of: id)
        guard let app = TargetState.recovered(from: own, networks: inventory.networks)[id] ?? target?[id],
            !app.services.isEmpty
        else { throw SupervisorError(.failed, "Application \(id) has no service to start") }
        var images: [String: String] = [:]
        for service in app.services { images[service.name] = try await imageToRecreate(id, service) }
        let order = Dictionary(app.services.enumerated().map { ($1.name, $0) }) { first, _ in first }
        // Those that others depend on go last.
        let instances = inventory.instances(of: id)
            .sorted { (order[$0.key.service] ?? 0, $0.id) > (order[$1.key.service] ?? 0, $1.id) }
        let directories = parts.directories
        try await locked(id, force: force) { supervisor throws(SupervisorError) in
            let successors = try await supervisor.makeSuccessors(of: app, images)
            var failure: SupervisorError?
            do throws(SupervisorError) {
                for instance in instances { try await supervisor.stopContainer(instance.key, instance.id) }
                for key in Set(instances.map(\.key)).sorted() { try await supervisor.swapLocks(key) }
            } catch {
                await supervisor.giveUpRecreating(successors, instances, error)
                throw error
            }
            if purging {
                do throws(SupervisorError) {
                    try await supervisor.onWorker { try directories.purge(id) }
                } catch {
                    // The application runs again nevertheless, with its data.
                    failure = error
                }
            }
            for (service, container) in zip(app.services, successors) {
                let key = ServiceKey(app: id, service: service.name)
                let formers = instances.filter { $0.key == key }
                do throws(SupervisorError) {
                    // One that the target keeps stopped stays so.
                    if service.running || !app.isMultiService { try await supervisor.startContainer(key, container) }
                    for former in formers { try await supervisor.removeContainer(key, former.id) }
                } catch {
                    failure = failure ?? error
                    await supervisor.giveUpRecreating([container], formers, error)
                }
            }
            for instance in instances where !app.services.contains(where: { $0.name == instance.key.service }) {
                try await supervisor.removeContainer(instance.key, instance.id)
            }
            if let failure { throw failure }
        }
    }

    /// Returns the ids, in the order of the services. Where the engine refuses one, all are removed.
    private func makeSuccessors(
        of app: AppTarget,
        _ images: [String: String]
    ) async throws(SupervisorError) -> [String] {
        var made: [String] = []
        do throws(SupervisorError) {
            for service in app.services {
                made.append(try await createContainer(app, service, image: images[service.name]))
            }
        } catch {
            await giveUpRecreating(made, [], error)
            throw error
        }
        return made
    }

    /// Removes the successors, and has those run again that ran before. Not after an engine that went away: what has become
    /// of them shows when it is back.
    private func giveUpRecreating(
        _ successors: [String],
        _ formers: [CurrentState.Instance],
        _ error: SupervisorError
    ) async {
        guard error.code != .unavailable, error.code != .timeout else { return }
        var isPutBack = true
        for former in formers where former.state.isAlive {
            if !(await restart(former: former.key, former.id)) { isPutBack = false }
        }
        // Where neither starts, the update cycle tries the new one.
        guard isPutBack else { return }
        for id in successors {
            guard let instance = inventory.instance(id), !instance.state.isAlive else { continue }
            do throws(SupervisorError) {
                try await removeContainer(instance.key, id)
            } catch {
                logger.warning("A container that was not started is not removed yet: \(error)")
            }
        }
    }

    /// The id of the image to recreate a service from, where its name no longer stands for an image; nil where it does.
    private func imageToRecreate(_ id: AppID, _ service: ServiceTarget) async throws(SupervisorError) -> String? {
        if try await hasImage(service.image) { return nil }
        let key = ServiceKey(app: id, service: service.name)
        for instance in inventory.instances(of: key) where !instance.imageID.isEmpty {
            if try await hasImage(instance.imageID) { return instance.imageID }
        }
        guard images.imageUnderWay == nil else {
            throw SupervisorError(
                .busy,
                "The image \(service.image) is not on this device, and another is being downloaded",
                retryAfter: 30
            )
        }
        try await download(key, service.image)
        return nil
    }
}
