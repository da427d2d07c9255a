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

    /// Take, stop, swap, remove, create, start: with an empty /data in between if that is asked for. All containers of the
    /// application are recreated from what they were created from; a pending update is the update cycle's business.
    private func recreateAll(_ id: AppID, force: Bool, purging: Bool) async throws(SupervisorError) {
        try await refreshNetworks()
        let own = inventory.containers(of: id)
        guard let app = TargetState.recovered(from: own, networks: inventory.networks)[id] ?? target?[id],
            !app.services.isEmpty
        else { throw SupervisorError(.failed, "Application \(id) has no service to start") }
        for image in Set(app.services.map(\.image)).sorted() {
            guard try await !hasImage(image) else { continue }
            throw SupervisorError(.unavailable, "The image of application \(id) is not on this device", retryAfter: 30)
        }
        let order = Dictionary(app.services.enumerated().map { ($1.name, $0) }) { first, _ in first }
        // Those that others depend on go last.
        let instances = inventory.instances(of: id)
            .sorted { (order[$0.key.service] ?? 0, $0.id) > (order[$1.key.service] ?? 0, $1.id) }
        let directories = parts.directories
        try await locked(id, force: force) { supervisor throws(SupervisorError) in
            for instance in instances { try await supervisor.stopContainer(instance.key, instance.id) }
            var failure: SupervisorError?
            for key in Set(instances.map(\.key)).sorted() { try await supervisor.swapLocks(key) }
            if purging {
                do throws(SupervisorError) {
                    try await supervisor.onWorker { try directories.purge(id) }
                } catch {
                    // The application runs again nevertheless, with its data.
                    failure = error
                }
            }
            for instance in instances { try await supervisor.removeContainer(instance.key, instance.id) }
            for service in app.services {
                let container = try await supervisor.createContainer(app, service)
                // One that the target keeps stopped stays so.
                guard service.running || !app.isMultiService else { continue }
                try await supervisor.startContainer(ServiceKey(app: id, service: service.name), container)
            }
            if let failure { throw failure }
        }
    }
}
