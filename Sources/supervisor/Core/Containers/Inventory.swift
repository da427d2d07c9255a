/// What the engine has of ours: containers and networks as it listed them last, kept up to date by events and by our own
/// steps.
struct Inventory: Sendable {
    private enum Change: Sendable {
        case added(EngineContainer)
        case state(String, ContainerState)
        case removed(String)

        var id: String {
            switch self {
            case .added(let container): container.id
            case .state(let id, _), .removed(let id): id
            }
        }

        func apply(to containers: inout [EngineContainer]) {
            switch self {
            case .added(let container):
                if !containers.contains(where: { $0.id == container.id }) { containers.append(container) }
            case .state(let id, let state):
                guard let index = containers.firstIndex(where: { $0.id == id }) else { return }
                containers[index].state = state
            case .removed(let id): containers.removeAll { $0.id == id }
            }
        }
    }

    /// In the engine's order, the newest first.
    private(set) var containers: [EngineContainer] = [] {
        didSet { instances = containers.compactMap(CurrentState.Instance.init) }
    }
    /// Those of the containers whose labels are complete, in the same order.
    private(set) var instances: [CurrentState.Instance] = []
    /// The whole definitions of containers that have only a part of it in their labels, as JSON, as far as they are known.
    private var definitions: [String: String] = [:]
    /// Whether the engine has listed the containers at least once.
    private(set) var hasListed = false
    private(set) var networks: [EngineNetwork] = []
    /// How many lists the engine was asked for and has not answered.
    private var listings = 0
    /// What has happened to a container since the oldest of them was asked for, and when.
    private var changes: [String: (number: Int, change: Change)] = [:]
    private var lastChange = 0
    /// Gateways of the engine's own networks, by network mode, as it reported them for the last plan.
    private var gateways: [String: String] = [:]
    /// Ids of containers that we stop or have stopped: the end of their process is no crash.
    private var containersWeStop: Set<String> = []

    // MARK: What the engine says

    /// The engine is about to be asked for its list. What happens until the answer is here is newer than the answer: it is
    /// noted, and holds after `replace`. Every call is followed by one of `endListing`.
    mutating func beginListing() -> Int {
        listings += 1
        return lastChange
    }

    mutating func endListing() {
        listings -= 1
        if listings == 0 { changes = [:] }
    }

    /// - Parameter mark: what `beginListing` returned.
    mutating func replace(containers listed: [EngineContainer], since mark: Int) {
        var containers = listed
        for (number, change) in changes.values.sorted(by: { $0.number < $1.number }) where number > mark {
            change.apply(to: &containers)
        }
        self.containers = containers
        let ids = Set(containers.map(\.id))
        containersWeStop.formIntersection(ids)
        definitions = definitions.filter { ids.contains($0.key) }
        hasListed = true
    }

    mutating func replace(networks listed: [EngineNetwork]) {
        networks = listed
    }

    mutating func add(_ container: EngineContainer) { make(.added(container)) }

    /// Does nothing for a container that is not listed.
    mutating func setState(of id: String, to state: ContainerState) { make(.state(id, state)) }

    mutating func remove(container id: String) { make(.removed(id)) }

    private mutating func make(_ change: Change) {
        change.apply(to: &containers)
        guard listings > 0 else { return }
        lastChange += 1
        var change = change
        if case .state(let id, let state) = change, case .added(var container)? = changes[id]?.change {
            container.state = state
            change = .added(container)
        }
        changes[change.id] = (lastChange, change)
    }

    // MARK: Definitions

    mutating func setDefinition(of id: String, to text: String?) {
        definitions[id] = text
    }

    /// The container with its whole definition in its label, as far as that is known.
    func complete(_ container: EngineContainer) -> EngineContainer? {
        guard container.labels[ContainerLabel.variables]?.utf8.isEmpty == false else { return container }
        guard let text = definitions[container.id] else { return nil }
        var result = container
        result.labels[ContainerLabel.definition] = text
        return result
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

    /// The containers that are ours, in the same order.
    var own: [EngineContainer] { containers.filter { CurrentState.Instance($0) != nil } }

    /// Ids of containers that were made to see whether the engine accepts them, and that a killed supervisor left.
    var trials: [String] {
        containers.filter { container in
            // The label may be that of an image, the name is not.
            ContainerLabel.isTrial(container.labels) && container.name.utf8.starts(with: ContainerName.trialPrefix.utf8)
        }
        .map(\.id)
    }

    /// The applications of which there is a container.
    var apps: Set<AppID> { Set(instances.map(\.key.app)) }

    func container(_ id: String) -> EngineContainer? { containers.first { $0.id == id } }

    func instance(_ id: String) -> CurrentState.Instance? { instances.first { $0.id == id } }

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
