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
        try await operate(id) { supervisor throws(SupervisorError) in
            let container = try await supervisor.container(of: id)
            guard container.state.isAlive else {
                supervisor.halted.insert(container.key)
                return container.id
            }
            try await supervisor.locked(id, force: force) { supervisor throws(SupervisorError) in
                try await supervisor.stopContainer(container.key, container.id)
                supervisor.halted.insert(container.key)
                try await supervisor.swapLocks(container.key)
            }
            return container.id
        }
    }

    public func start(_ id: AppID) async throws(SupervisorError) -> String {
        do throws(SupervisorError) {
            return try await operate(id) { supervisor throws(SupervisorError) in
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

    /// Runs an operation on one application: known, of one service, alone with it, and not cancelled by whoever asked.
    private func operate(
        _ id: AppID,
        _ body: @escaping @Sendable (isolated Supervisor) async throws(SupervisorError) -> String
    ) async throws(SupervisorError) -> String {
        guard !isStopping else { throw SupervisorError(.unavailable, "The supervisor is stopping") }
        try refuseWhileFrozen()
        // Before the engine has answered once, nobody knows which applications there are.
        if hasListed { try refuseUnknown(id) }
        return try await owned { supervisor throws(SupervisorError) in
            try await supervisor.runAlone(id, body).get()
        }
    }

    private func runAlone(
        _ id: AppID,
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
            guard !isStopping else { throw SupervisorError(.unavailable, "The supervisor is stopping") }
            try refuseWhileFrozen()
            try await refreshContainers()
            try refuseUnknown(id)
            return .success(try await body(self))
        } catch {
            logger.warning("An operation failed: \(error.message)", metadata: ["app-id": "\(id)"])
            // Whatever was half done is put right by the update cycle.
            if error.code != .locked { trigger() }
            return .failure(error)
        }
    }

    private func refuseUnknown(_ id: AppID) throws(SupervisorError) {
        let keys = Set(containers.compactMap { CurrentState.Instance($0)?.key }.filter { $0.app == id })
        let services = target?[id]?.services.count ?? 0
        guard !keys.isEmpty || target?[id] != nil else {
            throw SupervisorError(.notFound, "There is no application \(id) on this device")
        }
        guard max(keys.count, services) <= 1 else {
            throw SupervisorError(
                .invalidArgument,
                "Application \(id) has \(max(keys.count, services)) services, this endpoint is about one container"
            )
        }
    }

    private func container(of id: AppID) async throws(SupervisorError) -> CurrentState.Instance {
        let instances = containers.compactMap(CurrentState.Instance.init).filter { $0.key.app == id }
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

    /// Take, stop, swap, remove, create, start: with an empty /data in between if that is asked for. The container is made
    /// again from what it was made from; a pending update is the update cycle's business.
    private func remake(_ id: AppID, force: Bool, purging: Bool) async throws(SupervisorError) {
        let instances = containers.compactMap(CurrentState.Instance.init).filter { $0.key.app == id }
        let recovered = TargetState.recovered(from: containers.filter { CurrentState.Instance($0)?.key.app == id })
        guard let app = recovered[id] ?? target?[id], let service = app.services.first else {
            throw SupervisorError(.failed, "Application \(id) has no service to start")
        }
        guard try await hasImage(service.image) else {
            throw SupervisorError(.unavailable, "The image of application \(id) is not on this device", retryAfter: 30)
        }
        let directories = parts.directories
        try await locked(id, force: force) { supervisor throws(SupervisorError) in
            for instance in instances { try await supervisor.stopContainer(instance.key, instance.id) }
            var failure: SupervisorError?
            for instance in instances { try await supervisor.swapLocks(instance.key) }
            if purging {
                do throws(SupervisorError) {
                    try await supervisor.onWorker { try directories.purge(id) }
                } catch {
                    // The application runs again all the same, with its data.
                    failure = error
                }
            }
            for instance in instances { try await supervisor.removeContainer(instance.key, instance.id) }
            let key = ServiceKey(app: id, service: service.name)
            let container = try await supervisor.createContainer(app, service)
            try await supervisor.startContainer(key, container)
            if let failure { throw failure }
        }
    }

    // MARK: The key

    public func accepts(key: String) -> Bool {
        let given = Array(key.utf8)
        let wanted = Array(apiKey.utf8)
        // Every byte is looked at, whatever the ones before it were.
        var difference = given.count ^ wanted.count
        for index in wanted.indices {
            difference |= Int(wanted[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0
    }

    public func currentKey() -> String { apiKey }

    public func regenerateKey() async throws(SupervisorError) -> String {
        try refuseWhileFrozen()
        let key = randomHexadecimal(bytes: 32)
        let saved: Result<Void, SupervisorError> = await withCheckedContinuation { continuation in
            own { supervisor in
                supervisor.isChangingKey = true
                defer { supervisor.isChangingKey = false }
                let store = supervisor.parts.store
                do throws(SupervisorError) {
                    try await supervisor.onWorker { try store.save(key: key) }
                    supervisor.apiKey = key
                    supervisor.keyIsSaved = true
                    continuation.resume(returning: .success(()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        if case .failure(let error) = saved {
            throw SupervisorError(.unavailable, "The new key could not be kept, the old one goes on: \(error.message)")
        }
        logger.notice("There is a new API key")
        publish(.keyRegenerated)
        trigger()
        return key
    }

    /// A key that could not be kept at start is tried again: a new supervisor would make another one.
    func saveKeyIfNeeded() async {
        guard !keyIsSaved, !isChangingKey else { return }
        let key = apiKey
        let store = parts.store
        let result: Void? = try? await onWorker { try store.save(key: key) }
        guard result != nil, apiKey == key else { return }
        keyIsSaved = true
        logger.notice("The API key is kept now")
    }

    // MARK: Reload

    public func reload() async throws(SupervisorError) {
        let new = try await parts.reload()
        settings = new
        watchTarget()
        trigger()
    }
}
