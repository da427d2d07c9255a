/// What the engine has of ours: containers and networks as it listed them last, kept up to date by events and by our own
/// steps.
struct Inventory: Sendable {
    /// In the engine's order, the newest first.
    private(set) var containers: [EngineContainer] = [] {
        didSet { instances = containers.compactMap(CurrentState.Instance.init) }
    }
    /// Those of the containers whose labels are complete, in the same order.
    private(set) var instances: [CurrentState.Instance] = []
    /// Whether the engine has listed the containers at least once.
    private(set) var hasListed = false
    private(set) var networks: [EngineNetwork] = []
    /// Gateways of the engine's own networks, by network mode, as it reported them for the last plan.
    private var gateways: [String: String] = [:]
    /// Ids of containers that we stop or have stopped: the end of their process is no crash.
    private var containersWeStop: Set<String> = []

    // MARK: What the engine says

    mutating func replace(containers listed: [EngineContainer]) {
        containers = listed
        containersWeStop.formIntersection(listed.map(\.id))
        hasListed = true
    }

    mutating func replace(networks listed: [EngineNetwork]) {
        networks = listed
    }

    mutating func add(_ container: EngineContainer) {
        containers.append(container)
    }

    /// Does nothing for a container that is not listed.
    mutating func setState(of id: String, to state: ContainerState) {
        guard let index = containers.firstIndex(where: { $0.id == id }) else { return }
        containers[index].state = state
    }

    mutating func remove(container id: String) {
        containers.removeAll { $0.id == id }
    }

    // MARK: Gateways

    func gateway(networkMode: String) -> String? { gateways[networkMode] }

    mutating func setGateway(_ gateway: String, networkMode: String) {
        gateways[networkMode] = gateway
    }

    /// Each plan asks the engine once for each network mode.
    mutating func forgetGateways() {
        gateways = [:]
    }

    // MARK: What we stop

    func isStoppedByUs(_ id: String) -> Bool { containersWeStop.contains(id) }

    mutating func weStop(_ id: String) {
        containersWeStop.insert(id)
    }

    /// From now on the end of its process is its own doing.
    mutating func weNoLongerStop(_ id: String) {
        containersWeStop.remove(id)
    }

    // MARK: Questions

    /// The applications of which there is a container.
    var apps: Set<AppID> { Set(instances.map(\.key.app)) }

    func containers(of app: AppID) -> [EngineContainer] {
        containers.filter { CurrentState.Instance($0)?.key.app == app }
    }

    func instances(of app: AppID) -> [CurrentState.Instance] {
        instances.filter { $0.key.app == app }
    }

    func instances(of key: ServiceKey) -> [CurrentState.Instance] {
        instances.filter { $0.key == key }
    }

    /// Whether a container of the service is alive.
    func isAlive(_ key: ServiceKey) -> Bool {
        instances.contains { $0.state.isAlive && $0.key == key }
    }

    /// Whether a container of the service other than this one is alive: both share its lock directory.
    func isShared(_ key: ServiceKey, with id: String) -> Bool {
        instances.contains { $0.id != id && $0.state.isAlive && $0.key == key }
    }

    /// Whether another service of the application is alive.
    func othersRun(than key: ServiceKey) -> Bool {
        instances.contains { $0.state.isAlive && $0.key.app == key.app && $0.key != key }
    }

    /// Whether the container was created and never started.
    func hasNeverStarted(_ id: String) -> Bool {
        instances.contains { $0.id == id && $0.state == .created }
    }

    /// - Parameter name: the engine's.
    func network(named name: String) -> EngineNetwork? {
        networks.first { $0.name == name }
    }

    /// The names of the bridges of our networks.
    var bridges: Set<String> { Set(networks.compactMap(\.bridge)) }
}
