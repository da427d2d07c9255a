public import JSON
import SupervisorPorts

/// The update lock, as the core uses it.
extension Supervisor {
    /// The lock scopes of applications, by what runs now.
    private func scopes(of apps: some Sequence<AppID>) -> [UpdateLockFiles.Scope] {
        var services: [AppID: Set<String>] = [:]
        for instance in instances where instance.state.isAlive {
            services[instance.key.app, default: []].insert(instance.key.service)
        }
        return apps.map { .init(app: $0, services: Array(services[$0] ?? [])) }
    }

    private var allApps: Set<AppID> { inventory.apps }

    /// The update locks that applications hold. Throws if the disk does not answer.
    func heldLocks(
        of apps: some Sequence<AppID>,
        within patience: Duration = DiskWatch.patience
    ) async throws(SupervisorError) -> [HeldLock] {
        let scopes = scopes(of: apps)
        let files = lockFiles
        // Nearly always no lock is held, and the kernel has that in memory; the worker's thread would have to be woken.
        if scopes.allSatisfy({ files.areFree($0, unlockWatch.inMemory) }) { return [] }
        return try await readDisk(within: patience) { scopes.flatMap { files.held($0) } }
    }

    /// Takes the update locks of all given applications, or none.
    func takeLocks(of apps: some Sequence<AppID>, force: Bool) async throws(SupervisorError) -> UpdateLockFiles.Taken {
        let all = scopes(of: apps).filter { !$0.services.isEmpty }
        let overridden = Set(all.map(\.app).filter { targetInForce.isOverridden($0) })
        let files = lockFiles
        let outcome = try await onWorker { () -> UpdateLockFiles.Outcome in
            if force { return files.take(all, force: true) }
            // Overridden locks are taken as far as possible; they do not block anything.
            let forced = files.take(all.filter { overridden.contains($0.app) }, force: true)
            let asked = files.take(all.filter { !overridden.contains($0.app) }, force: false)
            switch (forced, asked) {
            case (.taken(let a), .taken(let b)): return .taken(UpdateLockFiles.Taken(joining: a, b))
            case (.taken(let a), .held(let locks)):
                a.release()
                return .held(locks)
            case (.held(let locks), _): return .held(locks)
            }
        }
        switch outcome {
        case .taken(let taken): return taken
        case .held(let locks): throw Self.lockedError(locks)
        }
    }

    func release(_ taken: UpdateLockFiles.Taken) async {
        // The worker's queue may be full; a lock of ours must not stay for that.
        do { try await parts.worker.run { taken.release() } } catch { taken.release() }
    }

    static func lockedError(_ locks: [HeldLock]) -> SupervisorError {
        let apps = Set(locks.map(\.app)).sorted().map(\.description).joined(separator: ", ")
        let first = locks.first.map { ": \($0.description)" } ?? ""
        return SupervisorError(.locked, "Updates are locked by application \(apps)\(first)")
    }

    // MARK: Waiting for an unlock

    /// Has the next change of a lock path start an update check.
    func watchForUnlock(_ locks: [HeldLock]) {
        forgetUnlockWatches()
        unlockWatch.wait(for: locks)
        let names = Set(UpdateLockFiles.names)
        for (directory, isAbove) in UnlockWatch.directories(of: locks) {
            let token = try? parts.watcher.watch(directory) { name in
                if !isAbove, let name, !names.contains(name) { return }
                self.assumeIsolated { $0.lockMayBeFree() }
            }
            if let token { unlockWatch.add(token) }
        }
    }

    func forgetUnlockWatches() {
        for token in unlockWatch.removeTokens() { parts.watcher.unwatch(token) }
    }

    private func lockMayBeFree() {
        guard unlockWatch.beginCheck(isStopping: isStopping) else { return }
        own { supervisor in
            while supervisor.unlockWatch.beginRound(isStopping: supervisor.isStopping) {
                let held = try? await supervisor.heldLocks(of: supervisor.unlockWatch.apps)
                if held?.contains(where: { !supervisor.targetInForce.isOverridden($0.app) }) == false {
                    supervisor.requestCheck()
                }
            }
        }
    }

    // MARK: Reporting

    public func locks() async -> JSONValue {
        let held: [HeldLock]
        do throws(SupervisorError) {
            held = try await heldLocks(of: allApps, within: DiskWatch.shortPatience)
        } catch {
            held = scopes(of: allApps).flatMap {
                lockFiles.heldAsFarAsKnown($0, unlockWatch.inMemory, otherwise: error.message)
            }
        }
        return .array(
            held.map { lock in
                [
                    "appId": .integer(lock.app.number),
                    "service": lock.service.map(JSONValue.string) ?? .null,
                    "path": .string(lock.path),
                    "holder": lock.owner.map { .string("uid \($0)") } ?? .null,
                    "since": lock.since.map(JSONValue.integer) ?? .null,
                    "reason": lock.reason.map(JSONValue.string) ?? .null,
                ]
            }
        )
    }

    public func waitUntilUnlocked() async throws(SupervisorError) {
        while !isStopping {
            if try await heldLocks(of: allApps).isEmpty { return }
            do throws(CancellationError) {
                try await parts.clock.sleep(for: .milliseconds(250))
            } catch {
                throw SupervisorError(.failed, "not waiting any longer")
            }
        }
        throw .stopping
    }
}
