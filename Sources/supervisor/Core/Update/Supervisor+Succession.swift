import Logging
import SupervisorPorts

/// From a container to its successor: nothing is stopped before the engine has accepted what comes after it, and what was
/// stopped runs again if that does not start.
extension Supervisor {
    /// Makes the successors that the steps start, and returns their ids. What the engine refuses is noted in `failed`.
    func makeSuccessors(
        _ steps: [UpdateStep],
        _ failed: inout [UpdateSubject: SupervisorError]
    ) async throws(SupervisorError) -> [ServiceKey: String] {
        var successors: [ServiceKey: String] = [:]
        for step in steps {
            let made: String?
            switch step {
            case .install, .handOver(_, nil), .replace(_, nil, _): made = nil
            case .handOver(_, let id?), .replace(_, let id?, _): made = id
            case .start(let key, let id) where shouldRecreate(key, id): made = id
            default: continue
            }
            guard let key = step.key else { continue }
            try admitChange()
            if let reason = reasonToWait(key, failed) {
                failed[.service(key)] = reason
                continue
            }
            do throws(SupervisorError) {
                successors[key] = try await makeSuccessor(key, made)
            } catch {
                if await repairImage(key, nil, error), let id = try? await makeSuccessor(key, nil) {
                    successors[key] = id
                    continue
                }
                if error.code == .unavailable || error.code == .timeout { throw error }
                failed[.service(key)] = error
            }
        }
        return successors
    }

    /// Stops the containers, starts the successor, and removes them. If the successor does not start, they run again.
    func replace(_ key: ServiceKey, _ formers: [String], by successor: String) async throws(SupervisorError) {
        let running = formers.filter { inventory.instance($0)?.state.isAlive == true }
        let isWanted = cycle.releasesToRun[key]?.service.running ?? true
        do throws(SupervisorError) {
            for former in running { try await stopContainer(key, former) }
            if !running.isEmpty { try await swapLocks(key) }
            if isWanted { try await startJudged(key, successor) }
        } catch {
            // An engine that went away may have done it all the same: that shows when it is back.
            guard error.code != .unavailable, error.code != .timeout else { throw error }
            await putBack(key, running.isEmpty ? formers : running, successor, wasRunning: !running.isEmpty, error)
            throw error
        }
        for former in formers { try await removeContainer(key, former) }
        memory.forgetFailedStart(of: key)
    }

    /// - Parameter wasRunning: whether we stopped the former containers just now; otherwise a supervisor that was killed may
    ///   have.
    private func putBack(
        _ key: ServiceKey,
        _ formers: [String],
        _ successor: String,
        wasRunning: Bool,
        _ error: SupervisorError
    ) async {
        guard let former = formers.first(where: { wasRunning || mayHaveBeenStoppedByUs($0) }) else { return }
        guard await restart(former: key, former) else { return }
        // Whether it is the engine's doing that the successor did not start shows with the next attempt.
        if error.code == .failed { memory.failedToStart(key, container: successor) }
        // A release on probation is judged by its container.
        guard !rollBack.mayRollBack(key) else { return }
        memory.refuse(key, digest: inventory.instance(successor)?.digest ?? "", error, at: parts.clock.now)
        do throws(SupervisorError) {
            try await removeContainer(key, successor)
        } catch {
            logger.warning(
                "A container that did not start is not removed yet: \(error)",
                metadata: ["app-id": "\(key.app)"]
            )
        }
    }

    /// Whether a container that has ended is one that runs always, so that only we can have stopped it.
    func mayHaveBeenStoppedByUs(_ id: String) -> Bool {
        guard let instance = inventory.instance(id), instance.state == .exited,
            !memory.staysStopped(instance)
        else { return false }
        let own = inventory.own.filter { $0.id == id }
        switch TargetState.recovered(from: own)[instance.key.app]?.services.first?.composition.restart {
        case .always?, .unlessStopped?: return true
        case .no?, .onFailure?, nil: return false
        }
    }

    /// Starts a container that was stopped for a successor. Returns whether it runs.
    @discardableResult
    func restart(former key: ServiceKey, _ id: String) async -> Bool {
        let metadata: Logger.Metadata = ["app-id": "\(key.app)", "service": "\(key.service)", "container-id": "\(id)"]
        do throws(SupervisorError) {
            try await startContainer(key, id)
            logger.notice("The former container runs again", metadata: metadata)
            return true
        } catch {
            logger.error("The former container does not start either: \(error)", metadata: metadata)
            return false
        }
    }

    // MARK: Making room

    /// Stops containers for the download of what succeeds them.
    ///
    /// With `removing` they are gone for good: the disk holds one image only.
    func makeWay(_ key: ServiceKey, _ containers: [String], removing: Bool) async throws(SupervisorError) {
        let instances = containers.compactMap { inventory.instance($0) }
        // The image is still to come, but the engine can look at everything else.
        if let image = instances.lazy.map(\.imageID).first(where: { !$0.isEmpty }), try await hasImage(image) {
            try await tryOut(key, image: image, onNetworks: true)
        }
        for instance in instances where instance.state.isAlive { try await stopContainer(key, instance.id) }
        if !inventory.isAlive(key) { try await swapLocks(key) }
        guard removing else { return }
        for instance in instances { try await removeContainer(key, instance.id) }
    }

    /// After a download that failed: what was stopped to make room for it runs again.
    func putBackAfterDownload(_ key: ServiceKey, _ error: SupervisorError) async {
        let instances = inventory.instances(of: key)
        guard !instances.contains(where: \.state.isAlive), let service = cycle.releasesToRun[key]?.service,
            service.running,
            let former = instances.first(where: { mayHaveBeenStoppedByUs($0.id) }),
            await enterGate(key.app, within: gatePatience(key.app))
        else { return }
        defer { leaveGate(key.app) }
        guard await restart(former: key, former.id) else { return }
        memory.refuse(key, digest: cycle.digests[key] ?? "", error, at: parts.clock.now)
    }

    // MARK: Services that are no longer wanted

    /// Stops the containers of services that are no longer in the target, before new ones of the application start. Returns
    /// what was stopped.
    func stopRetired(
        _ steps: [UpdateStep],
        _ failed: inout [UpdateSubject: SupervisorError]
    ) async throws(SupervisorError) -> [(key: ServiceKey, containers: [String], running: [String])] {
        var retired: [(key: ServiceKey, containers: [String], running: [String])] = []
        for case .retire(let key, let containers) in steps where !hasRefusedService(key.app, failed) {
            try admitChange()
            let running = containers.filter { inventory.instance($0)?.state.isAlive == true }
            do throws(SupervisorError) {
                for container in running { try await stopContainer(key, container) }
                if !running.isEmpty { try await swapLocks(key) }
                retired.append((key, containers, running))
            } catch {
                if error.code == .unavailable || error.code == .timeout { throw error }
                failed[.service(key)] = error
            }
        }
        return retired
    }

    /// Removes them, or, where what is new in the application does not run, has them run again.
    func finishRetiring(
        _ retired: [(key: ServiceKey, containers: [String], running: [String])],
        _ failed: inout [UpdateSubject: SupervisorError]
    ) async throws(SupervisorError) {
        for (key, containers, running) in retired {
            if hasRefusedService(key.app, failed) {
                for container in running { await restart(former: key, container) }
                continue
            }
            do throws(SupervisorError) {
                for container in containers { try await removeContainer(key, container) }
                memory.forgetFailedStart(of: key)
            } catch {
                if error.code == .unavailable || error.code == .timeout { throw error }
                failed[.service(key)] = error
            }
        }
    }

    /// Whether a service of the target has failed and does not run in any version.
    private func hasRefusedService(_ app: AppID, _ failed: [UpdateSubject: SupervisorError]) -> Bool {
        failed.keys.contains { subject in
            guard case .service(let key) = subject, key.app == app, cycle.releasesToRun[key] != nil else {
                return false
            }
            return !inventory.isAlive(key)
        }
    }
}
