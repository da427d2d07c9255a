import Logging
import SupervisorPorts

/// What the planner compares: what there is, and what should be.
extension Supervisor {
    /// Asks the engine, and compares with the target. What has failed in this cycle is left as it is.
    func plan(failed: inout [UpdateSubject: SupervisorError]) async throws(SupervisorError) -> UpdatePlan {
        var current = CurrentState(instances: try await refreshContainers())
        try await removeTrials()
        // Their variables may be asked for at any time; each container is looked at once.
        _ = try? await completeDefinitions(inventory.own)
        try await refreshNetworks()
        current.networks = inventory.networks.compactMap(CurrentState.Network.init)
        if current.instances.contains(where: { target == nil || targetInForce.isUnknown($0.key.app) }) {
            try await recoverTarget()
        }
        guard let target else { return UpdatePlan() }
        // What cannot be compared is not taken away.
        current.instances.removeAll { targetInForce.isUnknown($0.key.app) }
        current.networks.removeAll { targetInForce.isUnknown($0.app) }
        if target.apps.contains(where: { !$0.volumes.isEmpty }) {
            current.volumes = try await namesOfVolumes()
        }
        let desired = try await desiredState(target, &current, &failed)
        current.stoppedByRequest = Set(current.instances.filter { memory.staysStopped($0) }.map(\.key))
            .union(memory.stoppedByRequest)
        current.startsEverything = cycle.isFirst
        for instance in current.instances where instance.state.isAlive {
            memory.runs(instance.key, endsByItself: endsByItself(instance.key))
        }
        await saveBootMemory()
        current.servicesSeenRunning = memory.servicesSeenRunning
        current.handedOver = await finishedHandOvers(handingOver(desired, current))
        return UpdatePlanner.plan(
            current: current,
            target: desired,
            excluding: Set(failed.keys).union(cycle.networksInUse)
        )
    }

    private func desiredState(
        _ target: TargetState,
        _ current: inout CurrentState,
        _ failed: inout [UpdateSubject: SupervisorError]
    ) async throws(SupervisorError) -> ResolvedTarget {
        var desired = ResolvedTarget()
        cycle.beginPlan()
        inventory.forgetGateways()
        for app in target.apps {
            var networks = app.networks
            for service in app.services {
                let key = ServiceKey(app: app.id, service: service.name)
                do throws(SupervisorError) {
                    let own = try await describe(app, service)
                    await judge(app, service, digest: own.digest, current.instances)
                    let (appToRun, serviceToRun) = rollBack.releaseToRun(app, service)
                    cycle.run(key, appToRun, serviceToRun)
                    if serviceToRun == service {
                        desired.services.append(own)
                        cycle.wants(key, digest: own.digest)
                        if let refusal = memory.refusal(key, digest: own.digest, at: parts.clock.now),
                            inventory.isAlive(key)
                        {
                            cycle.dueNoLaterThan(refusal.until)
                            failed[.service(key)] = refusal.error
                        }
                    } else {
                        current.rejected.insert(own.digest)
                        for network in appToRun.networks where !networks.contains(where: { $0.name == network.name }) {
                            networks.append(network)
                        }
                        desired.services.append(try await describe(appToRun, serviceToRun))
                    }
                    try await lookAtImage(appToRun, serviceToRun, &current, &desired)
                } catch {
                    if error.code == .unavailable || error.code == .timeout { throw error }
                    failed[.service(key)] = error
                    // What cannot be compared is not taken away.
                    if !desired.services.contains(where: { $0.key == key }) {
                        desired.services.append(ResolvedService(key: key, digest: "", image: service.image))
                    }
                }
            }
            desired.networks += networks.map { network in
                ResolvedNetwork(app: app.id, name: app.id.engineName(network.name), digest: network.digest)
            }
            desired.volumes += app.volumes.map { ResolvedVolume(app: app.id, name: app.id.engineName($0.name)) }
        }
        return desired
    }

    private func describe(_ app: AppTarget, _ service: ServiceTarget) async throws(SupervisorError) -> ResolvedService {
        let host = try await hostAddress(service.composition, of: app.id)
        return ResolvedService(
            key: ServiceKey(app: app.id, service: service.name),
            digest: builder().digest(app: app, service: service, host: host),
            image: service.image,
            running: service.running,
            strategy: service.strategy,
            restart: service.composition.restart,
            networks: service.composition.networks.map { app.id.engineName($0.network) },
            volumes: service.composition.binds.filter { !$0.source.isAbsolutePath }
                .map { app.id.engineName($0.source) },
            dependencies: service.composition.dependencies
        )
    }

    private func lookAtImage(
        _ app: AppTarget,
        _ service: ServiceTarget,
        _ current: inout CurrentState,
        _ desired: inout ResolvedTarget
    ) async throws(SupervisorError) {
        let key = ServiceKey(app: app.id, service: service.name)
        if try await imageOfGoodRelease(key, service) != nil {
            current.images.insert(service.image)
            return
        }
        guard let image = try await knownImage(service.image) else { return }
        current.images.insert(service.image)
        // What is rolled back to is the release that was good, not what its tag stands for by now.
        let isRolledBack = target?[app.id].map { $0.release != app.release } ?? false
        if !isRolledBack, hasToRefresh(app, service, image) { current.servicesToRefresh.insert(key) }
        // A name that somebody else has given to another image meanwhile says nothing of the release.
        if images.idOfRelease(.init(app: app.id, image: service.image), release: app.release) == image.id,
            let index = desired.services.lastIndex(where: { $0.key == key })
        {
            desired.services[index].imageID = image.id
        }
    }

    /// Asked once in a cycle: the engine takes a millisecond for each.
    private func knownImage(_ name: String) async throws(SupervisorError) -> EngineImage? {
        if let known = cycle.knownImages[name] { return known }
        guard let image = try await engineImage(name) else { return nil }
        cycle.found(image, name)
        return image
    }

    /// Services with that strategy of which more than one container lives.
    private func handingOver(_ desired: ResolvedTarget, _ current: CurrentState) -> [(
        key: ServiceKey, timeout: Duration
    )] {
        desired.services.compactMap { service in
            guard service.strategy == .handOver, let target = cycle.releasesToRun[service.key]?.service else {
                return nil
            }
            let alive = current.instances(of: service.key).filter(\.state.isAlive)
            guard let successor = alive.first(where: { $0.digest == service.digest }),
                !current.predecessors(of: successor).isEmpty
            else { return nil }
            return (service.key, target.handOverTimeout)
        }
    }

    /// The target is lost, or that of an application whose present one cannot be used: what runs says what should.
    private func recoverTarget() async throws(SupervisorError) {
        let own = try await completeDefinitions(inventory.own)
        var recovered = TargetState.recovered(from: own, networks: inventory.networks)
        if target != nil { recovered.apps.removeAll { !targetInForce.isUnknown($0.id) } }
        guard !recovered.apps.isEmpty else { return }
        let apps = recovered.apps.map(\.id.description).joined(separator: ", ")
        logger.warning("The target of \(apps) is lost; continuing with the definitions in the containers' labels")
        targetInForce.recover(recovered)
    }
}
