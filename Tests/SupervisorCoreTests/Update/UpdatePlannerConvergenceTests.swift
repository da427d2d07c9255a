import TestSupport
import Testing

@testable import SupervisorCore

/// The planner against an engine of a few lines, from start states at random.
struct UpdatePlannerConvergenceTests {
    private static let states: [ContainerState] = [.created, .running, .paused, .restarting, .exited, .dead]
    private static let policies: [ContainerSpecification.RestartPolicy] = [
        .no, .always, .unlessStopped, .onFailure(maximumRetries: 1),
    ]

    /// What the steps do to a device.
    private struct Device {
        var state: CurrentState
        var target: ResolvedTarget
        var nextID = 1000

        func wanted(_ key: ServiceKey) -> ResolvedService? { target.services.first { $0.key == key } }

        mutating func perform(_ step: UpdateStep) {
            switch step {
            case .download(_, let image): state.images.insert(image)
            case .refresh(let key, _): state.servicesToRefresh.remove(key)
            case .remove(_, let ids), .retire(_, let ids): state.instances.removeAll { ids.contains($0.id) }
            case .makeWay(_, let ids, let removing):
                if removing { state.instances.removeAll { ids.contains($0.id) } } else { stop(ids) }
            case .replace(let key, let successor, let ids):
                state.instances.removeAll { ids.contains($0.id) }
                if let successor { set(successor, .running) } else { install(key) }
            case .handOver(let key, let successor):
                if let successor { set(successor, .running) } else { install(key) }
            case .changeNetworks(let app, let names, let ids):
                stop(ids)
                for name in names {
                    #expect(
                        !state.instances.contains { $0.state.isAlive && $0.networks[name] != nil && $0.key.app == app }
                    )
                    state.networks.removeAll { $0.name == name }
                    perform(.createNetwork(app, name: name))
                }
            case .halt(_, let id): set(id, .exited)
            case .install(let key): install(key)
            case .start(let key, let id):
                #expect(dependenciesRun(key), "\(key) starts before what it depends on")
                set(id, .running)
            case .createNetwork(let app, let name):
                #expect(!state.networks.contains { $0.name == name }, "\(name) is there already")
                nextID += 1
                let digest = target.networks.first { $0.name == name }?.digest ?? ""
                state.networks.append(.init(id: "net-\(nextID)", app: app, name: name, digest: digest))
            case .removeNetwork(_, let name, let id):
                #expect(!state.instances.contains { $0.networks[name] != nil }, "\(name) is in use")
                state.networks.removeAll { $0.id == id }
            case .createVolume(_, let name): state.volumes.insert(name)
            }
        }

        private mutating func stop(_ ids: [String]) {
            for id in ids where state.instances.contains(where: { $0.id == id && $0.state.isAlive }) {
                set(id, .exited)
            }
        }

        private mutating func set(_ id: String, _ new: ContainerState) {
            guard let index = state.instances.firstIndex(where: { $0.id == id }) else {
                Issue.record("\(id) is not there")
                return
            }
            state.instances[index].state = new
        }

        private func dependenciesRun(_ key: ServiceKey) -> Bool {
            (wanted(key)?.dependencies ?? []).allSatisfy { dependency in
                let other = ServiceKey(app: key.app, service: dependency.service)
                guard wanted(other)?.running == true, !state.stoppedByRequest.contains(other) else { return true }
                return state.instances(of: other).contains {
                    $0.state.isAlive || $0.state == .exited
                }
            }
        }

        private mutating func install(_ key: ServiceKey) {
            guard let service = wanted(key), state.images.contains(service.image) else {
                Issue.record("\(key) cannot be made")
                return
            }
            var networks: [String: String] = [:]
            for name in service.networks {
                guard let network = state.networks.first(where: { $0.name == name }) else {
                    Issue.record("\(key) is made before its network \(name)")
                    return
                }
                networks[name] = network.id
            }
            #expect(service.volumes.allSatisfy(state.volumes.contains), "\(key) is made before its volumes")
            nextID += 1
            state.stoppedByRequest.remove(key)
            state.instances.append(
                .init(
                    id: "new-\(nextID)",
                    key: key,
                    commit: "",
                    digest: service.digest,
                    image: service.image,
                    imageID: "",
                    state: service.running ? .running : .created,
                    networks: networks
                )
            )
        }
    }

    private static let services = ["a", "b", "c"]

    private static func device(_ random: inout SeededGenerator) -> Device {
        var target = ResolvedTarget()
        var state = CurrentState(startsEverything: Bool.random(using: &random))
        for image in 0..<3 where Bool.random(using: &random) { state.images.insert("img-\(image)") }
        for app in (1...2).map({ AppID($0) }) {
            let names = ["one", "two"].map { app.engineName($0) }
            for name in names {
                let isWanted = Int.random(in: 0..<4, using: &random) > 0
                if isWanted { target.networks.append(ResolvedNetwork(app: app, name: name, digest: "n")) }
                guard Bool.random(using: &random) else { continue }
                let digest = Bool.random(using: &random) ? "n" : "old"
                state.networks.append(.init(id: "old-\(name)", app: app, name: name, digest: digest))
            }
            let networks = target.networks.filter { $0.app == app }.map(\.name)
            if Bool.random(using: &random) {
                target.volumes.append(ResolvedVolume(app: app, name: app.engineName("v")))
            }
            if Bool.random(using: &random) { state.volumes.insert(app.engineName("v")) }
            for (index, name) in services.enumerated() {
                let key = ServiceKey(app: app, service: name)
                if Int.random(in: 0..<4, using: &random) == 0 { state.stoppedByRequest.insert(key) }
                if Int.random(in: 0..<4, using: &random) > 0 {
                    target.services.append(service(key, after: index, networks, target.volumes, &random))
                }
                for number in 0..<Int.random(in: 0..<4, using: &random) {
                    state.instances.append(instance(key, number, state.networks, &random))
                }
            }
        }
        return Device(state: state, target: target)
    }

    private static func service(
        _ key: ServiceKey,
        after index: Int,
        _ networks: [String],
        _ volumes: [ResolvedVolume],
        _ random: inout SeededGenerator
    ) -> ResolvedService {
        ResolvedService(
            key: key,
            digest: "a",
            image: "img-\(Int.random(in: 0..<3, using: &random))",
            running: Int.random(in: 0..<4, using: &random) > 0,
            strategy: UpdateStrategy.allCases.randomElement(using: &random) ?? .downloadThenKill,
            restart: policies.randomElement(using: &random) ?? .no,
            networks: networks.filter { _ in Bool.random(using: &random) },
            volumes: volumes.filter { $0.app == key.app }.map(\.name),
            dependencies: services.prefix(index).filter { _ in Bool.random(using: &random) }.map {
                Dependency(service: $0)
            }
        )
    }

    private static func instance(
        _ key: ServiceKey,
        _ number: Int,
        _ networks: [CurrentState.Network],
        _ random: inout SeededGenerator
    ) -> CurrentState.Instance {
        var on: [String: String] = [:]
        for network in networks where network.app == key.app && Bool.random(using: &random) {
            on[network.name] = Bool.random(using: &random) ? network.id : ""
        }
        return .init(
            id: "\(key)-\(number)",
            key: key,
            commit: "",
            digest: ["a", "a", "b", "c"].randomElement(using: &random) ?? "a",
            image: "img-0",
            imageID: "",
            state: states.randomElement(using: &random) ?? .running,
            networks: on
        )
    }

    @Test(arguments: 0..<20)
    func `from any state the plans lead to exactly the target, and additions stop nothing that lives`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<100 {
            var device = Self.device(&random)
            let first = device
            var rounds = 0
            while true {
                let plan = UpdatePlanner.plan(current: device.state, target: device.target)
                if plan.isEmpty, plan.handingOver.isEmpty { break }
                rounds += 1
                guard rounds <= 25 else {
                    Issue.record("no end from \(first.state) to \(first.target)")
                    return
                }
                step(&device, plan, first)
            }
            expectTarget(device, first)
        }
    }

    private func step(_ device: inout Device, _ plan: UpdatePlan, _ first: Device) {
        if !plan.downloads.isEmpty {
            for step in plan.downloads { device.perform(step) }
        } else if !plan.additions.isEmpty {
            let alive = Set(device.state.instances.filter(\.state.isAlive).map(\.id))
            for step in plan.additions { device.perform(step) }
            let stillAlive = Set(device.state.instances.filter(\.state.isAlive).map(\.id))
            if device.state.handedOver.isEmpty {
                #expect(alive.isSubset(of: stillAlive), "from \(first.state) to \(first.target)")
            }
        } else if !plan.handOvers.isEmpty {
            for step in plan.handOvers { device.perform(step) }
        } else if !plan.disruptions.isEmpty {
            for step in plan.disruptions { device.perform(step) }
        } else {
            // Nothing but predecessors that wait: their time is up.
            device.state.handedOver = plan.handingOver
            // A successor that has ended by its own policy takes nothing over.
            for key in plan.handingOver {
                for index in device.state.instances.indices where device.state.instances[index].key == key {
                    if !device.state.instances[index].state.isAlive { device.state.instances[index].state = .running }
                }
            }
        }
    }

    private func expectTarget(_ device: Device, _ first: Device) {
        #expect(
            device.state.instances.count == device.target.services.count,
            "one container for each service, from \(first.state) to \(first.target)"
        )
        let wanted = Set(device.target.networks.map(\.name))
        #expect(wanted.isSubset(of: device.state.networks.map(\.name)))
        for network in device.state.networks {
            if wanted.contains(network.name) {
                #expect(network.digest == "n")
            } else {
                #expect(device.state.instances.contains { $0.networks[network.name] != nil }, "an unused network stays")
            }
        }
        #expect(device.state.volumes.isSuperset(of: device.target.volumes.map(\.name)))
        #expect(device.state.volumes.isSuperset(of: first.state.volumes), "no volume is ever taken away")
        for service in device.target.services {
            let key = service.key
            guard let instance = device.state.instances(of: key).first else {
                Issue.record("\(key) is missing")
                continue
            }
            #expect(instance.digest == "a")
            for name in service.networks {
                let id = instance.networks[name]
                #expect(
                    id == "" || id == device.state.networks.first { $0.name == name }?.id,
                    "\(key) is not on \(name)"
                )
            }
            if !service.running {
                #expect(!instance.state.isAlive)
            } else if !device.state.stoppedByRequest.contains(key),
                service.restart == .always || device.state.startsEverything
            {
                #expect(instance.state.isAlive)
            }
        }
    }

    @Test(arguments: 0..<10)
    func `a service that fits and lives keeps its container`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(1000 + seed))
        for _ in 0..<100 {
            let device = Self.device(&random)
            let plan = UpdatePlanner.plan(current: device.state, target: device.target)
            for service in device.target.services where service.running {
                let key = service.key
                let changed = Set(device.state.networks.filter { $0.digest != "n" }.map(\.name))
                    .intersection(device.target.networks.map(\.name))
                let fitting = device.state.instances(of: key).filter { instance in
                    instance.digest == "a" && instance.state.isAlive
                        && !instance.networks.keys.contains(where: changed.contains)
                        && service.networks.allSatisfy { name in
                            let id = instance.networks[name]
                            return id == "" || (id != nil && id == device.state.networks.first { $0.name == name }?.id)
                        }
                }
                guard !fitting.isEmpty else { continue }
                let gone = (plan.disruptions + plan.additions).flatMap { step -> [String] in
                    switch step {
                    case .remove(key, let ids), .retire(key, let ids), .replace(key, _, let ids),
                        .makeWay(key, let ids, _):
                        ids
                    case .halt(key, let id): [id]
                    default: []
                    }
                }
                #expect(fitting.contains { !gone.contains($0.id) }, "\(key) in \(device.state)")
            }
        }
    }
}
