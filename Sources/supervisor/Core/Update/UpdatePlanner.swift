/// Compares what runs with what should run. A pure function: it knows neither engine nor clock.
package enum UpdatePlanner {
    /// - Parameters:
    ///   - target: nil where no target is known: then nothing is taken away.
    ///   - excluded: what has failed in this cycle, and is left as it is.
    package static func plan(
        current: CurrentState,
        target: ResolvedTarget?,
        excluding excluded: Set<UpdateSubject> = []
    ) -> UpdatePlan {
        guard let target else { return UpdatePlan() }
        var planning = Planning(current: current, target: target, excluded: excluded)
        planning.run()
        return planning.plan
    }
}

private struct Planning {
    private let current: CurrentState
    private let target: ResolvedTarget
    private let excluded: Set<UpdateSubject>
    private let wanted: [ServiceKey: ResolvedService]
    private let instances: [ServiceKey: [CurrentState.Instance]]
    private let networks: [String: CurrentState.Network]
    /// The engine's names of networks that are there but not as they should be.
    private var changedNetworks: Set<String> = []
    /// The engine's names of networks and volumes that are not there yet.
    private var missing: Set<String> = []
    /// Services that this plan starts.
    private var starting: Set<ServiceKey> = []
    var plan = UpdatePlan()

    init(current: CurrentState, target: ResolvedTarget, excluded: Set<UpdateSubject>) {
        self.current = current
        self.target = target
        self.excluded = excluded
        wanted = Dictionary(target.services.map { ($0.key, $0) }) { first, _ in first }
        instances = Dictionary(grouping: current.instances, by: \.key)
        networks = Dictionary(current.networks.map { ($0.name, $0) }) { first, _ in first }
    }

    mutating func run() {
        let names = Set(target.networks.map(\.name))
        // Before others are made: a left-over one may have the addresses that a new one is to get.
        for network in current.networks where !names.contains(network.name) { removeIfUnused(network) }
        lookAtNetworks()
        lookAtVolumes()
        for service in target.services where !excluded.contains(.service(service.key)) { add(service) }
        changeNetworks()
        retireUnwanted()
        holdBackNewContainers()
    }

    // MARK: Networks and volumes

    private mutating func lookAtNetworks() {
        for network in target.networks {
            guard let there = networks[network.name] else {
                missing.insert(network.name)
                if !excluded.contains(.network(network.app, network.name)) {
                    plan.additions.append(.createNetwork(network.app, name: network.name))
                }
                continue
            }
            guard there.digest != network.digest else { continue }
            changedNetworks.insert(network.name)
            removeIfUnused(there)
        }
    }

    private mutating func removeIfUnused(_ network: CurrentState.Network) {
        guard !excluded.contains(.network(network.app, network.name)) else { return }
        if current.instances.contains(where: { $0.networks[network.name] != nil }) { return }
        plan.additions.append(.removeNetwork(network.app, name: network.name, id: network.id))
    }

    /// Changed networks with containers of their application on them, all of an application at once: two of them may
    /// exchange their addresses.
    private mutating func changeNetworks() {
        var names: [AppID: [String]] = [:]
        for network in target.networks where changedNetworks.contains(network.name) {
            guard !excluded.contains(.network(network.app, network.name)),
                current.instances.contains(where: { $0.networks[network.name] != nil })
            else { continue }
            names[network.app, default: []].append(network.name)
        }
        for (app, names) in names.sorted(by: { $0.key < $1.key }) {
            let on = current.instances.filter { instance in
                instance.key.app == app && names.contains { instance.networks[$0] != nil }
            }
            add(
                .changeNetworks(app, names: names, containers: on.map(\.id)),
                disrupts: on.contains(where: \.state.isAlive)
            )
        }
    }

    private func isOnChangedNetwork(_ instance: CurrentState.Instance) -> Bool {
        instance.networks.keys.contains(where: changedNetworks.contains)
    }

    private mutating func lookAtVolumes() {
        for volume in target.volumes where !current.volumes.contains(volume.name) {
            missing.insert(volume.name)
            guard !excluded.contains(.volume(volume.app, volume.name)) else { continue }
            plan.additions.append(.createVolume(volume.app, name: volume.name))
        }
    }

    private func hasAllParts(_ service: ResolvedService) -> Bool {
        !(service.networks + service.volumes).contains { missing.contains($0) || changedNetworks.contains($0) }
    }

    // MARK: Services

    private mutating func add(_ service: ResolvedService) {
        let key = service.key
        let there = instances[key] ?? []
        let imageIsThere = current.images.contains(service.image)
        guard !there.isEmpty else {
            if !imageIsThere {
                plan.downloads.append(.download(key, image: service.image))
            } else if current.servicesToRefresh.contains(key) {
                plan.downloads.append(.refresh(key, image: service.image))
            } else if hasAllParts(service), mayStart(service) {
                plan.additions.append(.install(key))
                if service.running { starting.insert(key) }
            } else {
                plan.waits.insert(key)
            }
            return
        }
        guard let kept = keeper(of: there, for: service) else { return succeed(service, there, imageIsThere) }
        if current.servicesToRefresh.contains(key) {
            plan.downloads.append(.refresh(key, image: service.image))
        }
        let others = there.filter { $0.id != kept.id }
        if service.running, needsStart(kept, service) {
            start(kept, service, others)
        } else {
            removeSurplus(others, service, kept)
            if !service.running, kept.state.isAlive { plan.disruptions.append(.halt(key, container: kept.id)) }
        }
    }

    /// The container is as it should be, but does not run.
    private mutating func start(
        _ kept: CurrentState.Instance,
        _ service: ResolvedService,
        _ others: [CurrentState.Instance]
    ) {
        let key = service.key
        let isBesideOneThatLives = others.contains(where: \.state.isAlive)
        if isBesideOneThatLives, others.contains(where: isOnChangedNetwork) { return }
        if isBesideOneThatLives, service.strategy == .handOver {
            plan.handOvers.append(.handOver(key, successor: kept.id))
        } else if isBesideOneThatLives || mayStart(service) {
            if others.isEmpty {
                plan.additions.append(.start(key, container: kept.id))
            } else {
                add(
                    .replace(key, successor: kept.id, containers: others.map(\.id)),
                    disrupts: isBesideOneThatLives
                )
            }
            starting.insert(key)
        } else {
            plan.waits.insert(key)
        }
    }

    /// None of the containers is as it should be.
    private mutating func succeed(
        _ service: ResolvedService,
        _ there: [CurrentState.Instance],
        _ imageIsThere: Bool
    ) {
        let key = service.key
        let ids = there.map(\.id)
        let disrupts = there.contains(where: \.state.isAlive)
        if !imageIsThere {
            switch service.strategy {
            case .killThenDownload where disrupts:
                plan.disruptions.append(.makeWay(key, containers: ids, removing: false))
            case .deleteThenDownload: add(.makeWay(key, containers: ids, removing: true), disrupts: disrupts)
            case .killThenDownload, .downloadThenKill, .handOver:
                plan.downloads.append(.download(key, image: service.image))
            }
        } else if current.servicesToRefresh.contains(key) {
            plan.downloads.append(.refresh(key, image: service.image))
        } else if there.contains(where: isOnChangedNetwork) {
            // See `changeNetworks`.
            return
        } else if !hasAllParts(service) {
            plan.waits.insert(key)
        } else if service.strategy == .handOver, service.running, disrupts {
            plan.handOvers.append(.handOver(key, successor: nil))
        } else if disrupts || mayStart(service) {
            add(.replace(key, successor: nil, containers: ids), disrupts: disrupts)
            if service.running { starting.insert(key) }
        } else {
            plan.waits.insert(key)
        }
    }

    /// The containers beside the one that is kept.
    private mutating func removeSurplus(
        _ surplus: [CurrentState.Instance],
        _ service: ResolvedService,
        _ kept: CurrentState.Instance
    ) {
        let key = service.key
        let handsOver = service.strategy == .handOver && service.running
        let predecessors = handsOver ? current.predecessors(of: kept) : []
        let others = surplus.filter { instance in !predecessors.contains { $0.id == instance.id } }
        if !others.isEmpty {
            add(.remove(key, containers: others.map(\.id)), disrupts: others.contains(where: \.state.isAlive))
        }
        guard !predecessors.isEmpty else { return }
        plan.handingOver.insert(key)
        if current.handedOver.contains(key) {
            plan.additions.append(.remove(key, containers: predecessors.map(\.id)))
        } else {
            plan.waits.insert(key)
        }
    }

    /// Containers of services that are not in the target. As long as the engine refuses a service that is new in the
    /// application they stay: it may be the same under another name.
    private mutating func retireUnwanted() {
        let refused = Set(
            target.services.map(\.key)
                .filter { excluded.contains(.service($0)) && instances[$0]?.contains(where: \.state.isAlive) != true }
                .map(\.app)
        )
        for key in instances.keys.sorted() where wanted[key] == nil && !excluded.contains(.service(key)) {
            let unwanted = instances[key] ?? []
            let lives = unwanted.contains(where: \.state.isAlive)
            if lives, refused.contains(key.app) { continue }
            add(.retire(key, containers: unwanted.map(\.id)), disrupts: lives)
        }
    }

    /// What starts for the first time in an application of which something else has to be stopped waits for that: the
    /// release changes as a whole, with the update lock, or not at all.
    private mutating func holdBackNewContainers() {
        var changing = Set((plan.disruptions + plan.handOvers).map(\.app))
        changing.formUnion(
            plan.downloads.compactMap(\.key).filter { instances[$0]?.contains(where: \.state.isAlive) == true }.map(
                \.app
            )
        )
        guard !changing.isEmpty else { return }
        let created = Set(current.instances.lazy.filter { $0.state == .created }.map(\.id))
        var held: [UpdateStep] = []
        var waiting = Set(plan.disruptions.compactMap(\.key)).filter {
            instances[$0]?.contains(where: \.state.isAlive) != true
        }
        for step in plan.additions where changing.contains(step.app) {
            let isHeld =
                switch step {
                case .install, .replace: true
                case .start(let key, let container):
                    created.contains(container)
                        || wanted[key]?.dependencies.contains {
                            waiting.contains(ServiceKey(app: key.app, service: $0.service))
                        } == true
                default: false
                }
            guard isHeld, let key = step.key else { continue }
            held.append(step)
            if instances[key]?.contains(where: \.state.isAlive) != true { waiting.insert(key) }
        }
        guard !held.isEmpty else { return }
        plan.additions.removeAll(where: held.contains)
        let places = Dictionary(target.services.enumerated().map { ($1.key, $0) }) { first, _ in first }
        func place(_ step: UpdateStep) -> Int {
            if case .changeNetworks = step { return -1 }
            return step.key.flatMap { places[$0] } ?? Int.max
        }
        let steps = (plan.disruptions + held).enumerated()
        plan.disruptions = steps.sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }
            .map(\.element)
    }

    /// The container that is already as the target wants it; a living one rather than another.
    private func keeper(
        of instances: [CurrentState.Instance],
        for service: ResolvedService
    ) -> CurrentState.Instance? {
        let fitting = instances.filter { instance in
            instance.digest == service.digest && instance.state != .removing && instance.state != .dead
                && service.networks.allSatisfy { isOn($0, instance) }
                && (service.imageID == nil || instance.imageID.isEmpty || instance.imageID == service.imageID)
                // However it got there: a network can be recreated only when nothing is on it.
                && !isOnChangedNetwork(instance)
        }
        return fitting.first(where: \.state.isAlive) ?? fitting.first
    }

    /// Whether a container is on the network of that name that there is now. One that was killed while it was made is on
    /// some of its networks only.
    private func isOn(_ name: String, _ instance: CurrentState.Instance) -> Bool {
        guard let id = instance.networks[name] else { return false }
        return id.isEmpty || id == networks[name]?.id
    }

    private func needsStart(_ instance: CurrentState.Instance, _ service: ResolvedService) -> Bool {
        if current.stoppedByRequest.contains(service.key) { return false }
        switch instance.state {
        case .created: return true
        case .exited:
            // A process that has ended for good by its own policy stays so, until the next boot.
            if current.startsEverything, !current.servicesSeenRunning.contains(service.key) { return true }
            switch service.restart {
            case .always, .unlessStopped: return true
            case .no, .onFailure: return false
            }
        case .running, .paused, .restarting, .removing, .dead: return false
        }
    }

    // MARK: Order

    private func mayStart(_ service: ResolvedService) -> Bool {
        !service.running || service.dependencies.allSatisfy { isMet($0, of: service.key.app) }
    }

    private func isMet(_ dependency: Dependency, of app: AppID) -> Bool {
        let key = ServiceKey(app: app, service: dependency.service)
        guard let service = wanted[key], service.running, !current.stoppedByRequest.contains(key) else { return true }
        let there = instances[key] ?? []
        let alive = there.filter(\.state.isAlive)
        if dependency.needsHealth {
            return alive.contains { $0.state == .running && ($0.health == .healthy || $0.health == .none) }
        }
        if !alive.isEmpty || starting.contains(key) { return true }
        // One that has done its work, by its own policy.
        return there.contains { $0.state == .exited && !needsStart($0, service) }
    }

    private mutating func add(_ step: UpdateStep, disrupts: Bool) {
        if disrupts { plan.disruptions.append(step) } else { plan.additions.append(step) }
    }
}
