import Logging

/// What the API asks for, one application at a time.
extension Supervisor {
    public func restart(_ id: AppID, force: Bool) async throws(SupervisorError) {
        _ = try await operate(id) { supervisor throws(SupervisorError) in
            try await supervisor.remake(id, force: force, purging: false)
            return ""
        }
    }

    public func purge(_ id: AppID, force: Bool) async throws(SupervisorError) {
        _ = try await operate(id) { supervisor throws(SupervisorError) in
            try await supervisor.remake(id, force: force, purging: true)
            return ""
        }
        scheduleReaping()
    }

    public func stop(_ id: AppID, force: Bool) async throws(SupervisorError) -> String {
        try await operate(id, onOneContainer: true) { supervisor throws(SupervisorError) in
            let container = try await supervisor.container(of: id)
            // A successor may run beside it.
            let alive = supervisor.instances.filter { $0.key == container.key && $0.state.isAlive }
            guard !alive.isEmpty else {
                supervisor.halted.insert(container.key)
                return container.id
            }
            try await supervisor.locked(id, force: force) { supervisor throws(SupervisorError) in
                for instance in alive { try await supervisor.stopContainer(instance.key, instance.id) }
                supervisor.halted.insert(container.key)
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
            // The lock is not honoured by start: a caller who came too late for his turn may come again.
            guard error.code == .locked else { throw error }
            throw SupervisorError(.busy, error.message, retryAfter: 5)
        }
    }

    // MARK: Parts

    /// Runs an operation on one application: known, alone with it, and not cancelled by whoever asked.
    ///
    /// - Parameter onOneContainer: refuses an application with several services.
    private func operate(
        _ id: AppID,
        onOneContainer: Bool = false,
        _ body: @escaping @Sendable (isolated Supervisor) async throws(SupervisorError) -> String
    ) async throws(SupervisorError) -> String {
        try admitChange()
        // Before the engine has answered once, nobody knows which applications there are.
        if hasListed { try refuseUnknown(id, onOneContainer: onOneContainer) }
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
            setStatus(.idle)
            leaveGate(id)
        }
        do throws(SupervisorError) {
            // It may have waited for its turn until now.
            try admitChange()
            try await refreshContainers()
            try refuseUnknown(id, onOneContainer: onOneContainer)
            try await requireDisk()
            return .success(try await body(self))
        } catch {
            logger.warning("An operation failed: \(error.message)", metadata: ["app-id": "\(id)"])
            // Whatever was half done is put right by the update cycle.
            if error.code != .locked { trigger() }
            return .failure(error)
        }
    }

    private func refuseUnknown(_ id: AppID, onOneContainer: Bool) throws(SupervisorError) {
        let keys = Set(instances.map(\.key).filter { $0.app == id })
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
        let instances = instances.filter { $0.key.app == id }
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
    /// application are made again from what they were made from; a pending update is the update cycle's business.
    private func remake(_ id: AppID, force: Bool, purging: Bool) async throws(SupervisorError) {
        try await refreshNetworks()
        let own = containers.filter { CurrentState.Instance($0)?.key.app == id }
        guard let app = TargetState.recovered(from: own, networks: networks)[id] ?? target?[id], !app.services.isEmpty
        else { throw SupervisorError(.failed, "Application \(id) has no service to start") }
        for image in Set(app.services.map(\.image)).sorted() {
            guard try await !hasImage(image) else { continue }
            throw SupervisorError(.unavailable, "The image of application \(id) is not on this device", retryAfter: 30)
        }
        let order = Dictionary(app.services.enumerated().map { ($1.name, $0) }) { first, _ in first }
        // Those that others depend on go last.
        let instances = instances.filter { $0.key.app == id }
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
                    // The application runs again all the same, with its data.
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

    // MARK: Reload

    public func reload() async throws(SupervisorError) {
        let new = try await parts.reload()
        settings = new
        watchTarget()
        trigger()
    }
}
