// How long the update planner takes, by the number of services: apps of ten services each, with a network and a volume.
//
// Prints a JSON object. Each figure is in microseconds: of five batches of calls the best median, since what else the
// machine does only ever adds.
import SupervisorCore

/// What should be on the device.
func desired(_ count: Int, changed: (Int) -> Bool = { _ in false }) -> ResolvedTarget {
    var state = ResolvedTarget()
    for number in 0..<count {
        let app = AppID(Int64(1_000_000 + number / 10))
        if number % 10 == 0 {
            state.networks.append(ResolvedNetwork(app: app, name: "\(app)_default", digest: "network"))
            state.volumes.append(ResolvedVolume(app: app, name: "\(app)_data"))
        }
        state.services.append(
            ResolvedService(
                key: key(number),
                digest: digest(number, isChanged: changed(number)),
                image: image(number),
                networks: ["\(app)_default"],
                volumes: ["\(app)_data"]
            )
        )
    }
    return state
}

/// What is on the device when it is as `desired` has it.
func current(_ count: Int) -> CurrentState {
    let target = desired(count)
    return CurrentState(
        instances: target.services.enumerated().map { number, service in
            CurrentState.Instance(
                id: "container\(number)",
                key: service.key,
                commit: "commit",
                digest: service.digest,
                image: service.image,
                imageID: "id",
                state: .running,
                networks: Dictionary(uniqueKeysWithValues: service.networks.map { ($0, "id of \($0)") })
            )
        },
        networks: target.networks.map {
            CurrentState.Network(id: "id of \($0.name)", app: $0.app, name: $0.name, digest: $0.digest)
        },
        volumes: Set(target.volumes.map(\.name)),
        images: Set(target.services.map(\.image))
    )
}

func key(_ number: Int) -> ServiceKey {
    ServiceKey(app: AppID(Int64(1_000_000 + number / 10)), service: "service\(number % 10)")
}

/// As long as a real one.
func digest(_ number: Int, isChanged: Bool) -> String {
    let digits = String(number * 2 + (isChanged ? 1 : 0), radix: 16)
    return String(repeating: "0", count: 64 - digits.count) + digits
}

func image(_ number: Int) -> String {
    "registry.example.com/fleet/service\(number % 10)@sha256:\(digest(number % 10, isChanged: false))"
}

/// The best median of five batches, in microseconds.
func best(_ calls: Int, _ current: CurrentState, _ target: ResolvedTarget, steps: Int) -> Double {
    (0..<5).map { _ in median(calls / 5, current, target, steps: steps) }.min() ?? 0
}

/// The median of `calls` calls, in microseconds.
func median(_ calls: Int, _ current: CurrentState, _ target: ResolvedTarget, steps: Int) -> Double {
    let clock = ContinuousClock()
    var times: [Double] = []
    for _ in 0..<calls {
        var plan = UpdatePlan()
        let time = clock.measure { plan = UpdatePlanner.plan(current: current, target: target) }
        let found = plan.disruptions.count + plan.additions.count + plan.waits.count
        precondition(found == steps, "\(found) steps, not \(steps)")
        times.append(Double(time.components.attoseconds) / 1e12 + Double(time.components.seconds) * 1e6)
    }
    return times.sorted()[times.count / 2]
}

let isQuick = CommandLine.arguments.contains("--quick")
var rows: [String] = []
for count in [10, 100, 1000] {
    let calls = max(45, (isQuick ? 10_000 : 50_000) / count)
    let there = current(count)
    let figures = [
        ("same", best(calls, there, desired(count), steps: 0)),
        ("one", best(calls, there, desired(count) { $0 == count / 2 }, steps: 1)),
        ("all", best(calls, there, desired(count) { _ in true }, steps: count)),
        // A network and a volume for every ten; the services wait for them.
        ("none", best(calls, CurrentState(images: there.images), desired(count), steps: count + count / 5)),
    ]
    rows.append("{\"services\":\(count),\(figures.map { "\"\($0)\":\($1)" }.joined(separator: ","))}")
}
print("{\"quick\":\(isQuick),\"planning\":[\(rows.joined(separator: ","))]}")
