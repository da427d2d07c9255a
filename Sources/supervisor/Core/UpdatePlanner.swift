/// A service with everything that its container is made from.
public struct DesiredService: Sendable, Hashable {
    public var key: ServiceKey
    public var digest: String
    public var image: String
    public var running: Bool
    public var strategy: UpdateStrategy
    public var restart: ContainerSpecification.RestartPolicy

    public init(
        key: ServiceKey,
        digest: String,
        image: String,
        running: Bool = true,
        strategy: UpdateStrategy = .downloadThenKill,
        restart: ContainerSpecification.RestartPolicy = .always
    ) {
        self.key = key
        self.digest = digest
        self.image = image
        self.running = running
        self.strategy = strategy
        self.restart = restart
    }
}

/// One thing to do for one service.
public enum UpdateStep: Sendable, Hashable {
    /// Get the image.
    case download(ServiceKey, image: String)
    /// Stop and remove the containers: an old version whose successor is downloaded afterwards, a service that is no
    /// longer wanted, or one container too many.
    case remove(ServiceKey, containers: [String])
    /// Stop and remove the containers, make and start the new one.
    case replace(ServiceKey, containers: [String])
    /// Stop the container and keep it.
    case halt(ServiceKey, container: String)
    /// Make and start a container where there is none.
    case install(ServiceKey)
    case start(ServiceKey, container: String)

    public var key: ServiceKey {
        switch self {
        case .download(let key, _), .remove(let key, _), .replace(let key, _), .halt(let key, _), .install(let key),
            .start(let key, _):
            key
        }
    }
}

/// What is to be done next. Stages come one after another; after each the engine is asked again.
public struct UpdatePlan: Sendable, Hashable {
    /// Images to get while everything runs on.
    public var downloads: [UpdateStep] = []
    /// Steps that stop something that lives: they need the update locks, all of them or none.
    public var disruptions: [UpdateStep] = []
    /// Steps that stop nothing that lives.
    public var additions: [UpdateStep] = []
    /// Locks that keep the disruptions from happening.
    public var blockers: [HeldLock] = []

    public init() {}

    /// Whether the device differs from its target by more than a container that has to be started.
    public var isPending: Bool {
        !downloads.isEmpty || !disruptions.isEmpty
            || additions.contains { if case .start = $0 { false } else { true } }
    }

    public var isEmpty: Bool { downloads.isEmpty && disruptions.isEmpty && additions.isEmpty }
}

/// Compares what runs with what should run. A pure function: it knows neither engine nor clock.
public enum UpdatePlanner {
    /// - Parameters:
    ///   - target: nil where no target is known: then nothing is taken away.
    ///   - locks: the update locks in force, without those that are overridden.
    public static func plan(
        current: CurrentState,
        target: [DesiredService]?,
        locks: [HeldLock] = []
    ) -> UpdatePlan {
        var plan = UpdatePlan()
        guard let target else { return plan }
        let wanted = Dictionary(target.map { ($0.key, $0) }) { first, _ in first }
        for key in Set(current.instances.map(\.key)).union(wanted.keys).sorted() {
            let instances = current.instances(of: key)
            if let service = wanted[key] {
                add(service, instances, current, &plan)
            } else {
                plan.add(
                    .remove(key, containers: instances.map(\.id)),
                    disrupts: instances.contains(where: \.state.isAlive)
                )
            }
        }
        let disrupted = Set(plan.disruptions.map(\.key.app))
        plan.blockers = locks.filter { disrupted.contains($0.app) }
        return plan
    }

    private static func add(
        _ service: DesiredService,
        _ instances: [CurrentState.Instance],
        _ current: CurrentState,
        _ plan: inout UpdatePlan
    ) {
        let key = service.key
        let imageIsThere = current.images.contains(service.image)
        guard !instances.isEmpty else {
            if imageIsThere {
                plan.additions.append(.install(key))
            } else {
                plan.downloads.append(.download(key, image: service.image))
            }
            return
        }
        guard let kept = keeper(of: instances, for: service) else {
            let ids = instances.map(\.id)
            let disrupts = instances.contains(where: \.state.isAlive)
            if imageIsThere {
                plan.add(.replace(key, containers: ids), disrupts: disrupts)
            } else if service.strategy == .killThenDownload {
                plan.add(.remove(key, containers: ids), disrupts: disrupts)
            } else {
                plan.downloads.append(.download(key, image: service.image))
            }
            return
        }
        let surplus = instances.filter { $0.id != kept.id }
        if !surplus.isEmpty {
            let disrupts = surplus.contains(where: \.state.isAlive)
            plan.add(.remove(key, containers: surplus.map(\.id)), disrupts: disrupts)
        }
        if service.running {
            if needsStart(kept, service, current) { plan.additions.append(.start(key, container: kept.id)) }
        } else if kept.state.isAlive {
            plan.disruptions.append(.halt(key, container: kept.id))
        }
    }

    /// The container that is already as the target wants it; a living one rather than another.
    private static func keeper(
        of instances: [CurrentState.Instance],
        for service: DesiredService
    ) -> CurrentState.Instance? {
        let fitting = instances.filter { $0.digest == service.digest && $0.state != .removing && $0.state != .dead }
        return fitting.first(where: \.state.isAlive) ?? fitting.first
    }

    private static func needsStart(
        _ instance: CurrentState.Instance,
        _ service: DesiredService,
        _ current: CurrentState
    ) -> Bool {
        if current.halted.contains(service.key) { return false }
        switch instance.state {
        case .created: return true
        case .exited:
            // A process that has ended for good by its own policy stays so, until the next boot.
            if current.startsEverything, !current.haveRun.contains(service.key) { return true }
            switch service.restart {
            case .always, .unlessStopped: return true
            case .no, .onFailure: return false
            }
        case .running, .paused, .restarting, .removing, .dead: return false
        }
    }
}

extension UpdatePlan {
    fileprivate mutating func add(_ step: UpdateStep, disrupts: Bool) {
        if disrupts { disruptions.append(step) } else { additions.append(step) }
    }
}
