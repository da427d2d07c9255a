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
        var target: [ServiceKey: DesiredService]
        var nextID = 1000

        mutating func perform(_ step: UpdateStep) {
            switch step {
            case .download(_, let image): state.images.insert(image)
            case .remove(_, let ids): state.instances.removeAll { ids.contains($0.id) }
            case .replace(let key, let ids):
                state.instances.removeAll { ids.contains($0.id) }
                install(key)
            case .halt(_, let id): set(id, .exited)
            case .install(let key): install(key)
            case .start(_, let id): set(id, .running)
            }
        }

        private mutating func set(_ id: String, _ new: ContainerState) {
            guard let index = state.instances.firstIndex(where: { $0.id == id }) else {
                Issue.record("\(id) is not there")
                return
            }
            state.instances[index].state = new
        }

        private mutating func install(_ key: ServiceKey) {
            guard let service = target[key], state.images.contains(service.image) else {
                Issue.record("\(key) cannot be made")
                return
            }
            nextID += 1
            state.halted.remove(key)
            state.instances.append(
                .init(
                    id: "new-\(nextID)",
                    key: key,
                    commit: "",
                    digest: service.digest,
                    image: service.image,
                    imageID: "",
                    state: service.running ? .running : .created
                )
            )
        }
    }

    private static func device(_ random: inout SeededGenerator) -> Device {
        let keys = (1...4).map { ServiceKey(app: AppID($0), service: "main") }
        var target: [ServiceKey: DesiredService] = [:]
        for key in keys where Int.random(in: 0..<4, using: &random) > 0 {
            target[key] = DesiredService(
                key: key,
                digest: "a",
                image: "img-\(Int.random(in: 0..<3, using: &random))",
                running: Int.random(in: 0..<4, using: &random) > 0,
                strategy: Bool.random(using: &random) ? .downloadThenKill : .killThenDownload,
                restart: policies.randomElement(using: &random) ?? .no
            )
        }
        var state = CurrentState(startsEverything: Bool.random(using: &random))
        for image in 0..<3 where Bool.random(using: &random) { state.images.insert("img-\(image)") }
        for key in keys {
            if Int.random(in: 0..<4, using: &random) == 0 { state.halted.insert(key) }
            for number in 0..<Int.random(in: 0..<4, using: &random) {
                state.instances.append(
                    .init(
                        id: "\(key)-\(number)",
                        key: key,
                        commit: "",
                        digest: ["a", "a", "b", "c"].randomElement(using: &random) ?? "a",
                        image: "img-0",
                        imageID: "",
                        state: states.randomElement(using: &random) ?? .running
                    )
                )
            }
        }
        return Device(state: state, target: target)
    }

    @Test(arguments: 0..<20)
    func `from any state the plans lead to exactly the target, and additions stop nothing that lives`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<100 {
            var device = Self.device(&random)
            let first = device
            var rounds = 0
            while true {
                let plan = UpdatePlanner.plan(current: device.state, target: Array(device.target.values))
                if plan.isEmpty { break }
                rounds += 1
                guard rounds <= 8 else {
                    Issue.record("no end from \(first.state) to \(first.target)")
                    return
                }
                if !plan.downloads.isEmpty {
                    for step in plan.downloads { device.perform(step) }
                } else if !plan.additions.isEmpty {
                    let alive = Set(device.state.instances.filter(\.state.isAlive).map(\.id))
                    for step in plan.additions { device.perform(step) }
                    let stillAlive = Set(device.state.instances.filter(\.state.isAlive).map(\.id))
                    #expect(alive.isSubset(of: stillAlive), "from \(first.state) to \(first.target)")
                } else {
                    for step in plan.disruptions { device.perform(step) }
                }
            }
            #expect(device.state.instances.count == device.target.count, "one container for each service")
            for (key, service) in device.target {
                guard let instance = device.state.instances(of: key).first else {
                    Issue.record("\(key) is missing")
                    continue
                }
                #expect(instance.digest == "a")
                if !service.running {
                    #expect(!instance.state.isAlive)
                } else if !device.state.halted.contains(key),
                    service.restart == .always || device.state.startsEverything
                {
                    #expect(instance.state.isAlive)
                }
            }
        }
    }

    @Test(arguments: 0..<10)
    func `a service that fits and lives keeps its container`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(1000 + seed))
        for _ in 0..<100 {
            let device = Self.device(&random)
            let plan = UpdatePlanner.plan(current: device.state, target: Array(device.target.values))
            for (key, service) in device.target where service.running {
                let fitting = device.state.instances(of: key).filter { $0.digest == "a" && $0.state.isAlive }
                guard !fitting.isEmpty else { continue }
                let gone = (plan.disruptions + plan.additions).flatMap { step -> [String] in
                    switch step {
                    case .remove(key, let ids), .replace(key, let ids): ids
                    case .halt(key, let id): [id]
                    default: []
                    }
                }
                #expect(fitting.contains { !gone.contains($0.id) }, "\(key) in \(device.state)")
            }
        }
    }
}
