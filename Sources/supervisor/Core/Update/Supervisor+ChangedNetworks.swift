import LinuxSupport
import Logging

/// Networks that containers are on, and that the target wants otherwise: an engine changes no network, it can only remove one
/// and make another.
extension Supervisor {
    /// Stops the containers that are on the networks, and makes the networks as the target wants them. The containers stay,
    /// for the plan that follows to replace.
    ///
    /// Whatever the engine can be asked is asked before the first container stops. If it refuses a network nevertheless, the
    /// former networks are made once more, and the containers run on.
    func changeNetworks(_ app: AppID, _ names: [String], _ containers: [String]) async throws(SupervisorError) {
        let wanted = try names.map { name throws(SupervisorError) in try wantedNetwork(app, name) }
        let former = names.compactMap { inventory.network(named: $0) }
        try await askForNetworks(app, wanted, replacing: former)
        let instances = containers.compactMap { inventory.instance($0) }
        for key in Set(instances.map(\.key)).sorted() where cycle.releasesToRun[key] != nil {
            try await tryOut(key, onNetworks: false)
        }
        let definitions =
            TargetState.recovered(from: inventory.containers(of: app), networks: former)[app]?.networks ?? []
        let alive = instances.filter(\.state.isAlive).sorted { startOrder($0) < startOrder($1) }
        do throws(SupervisorError) {
            for instance in alive.reversed() { try await stopContainer(instance.key, instance.id) }
            for key in Set(alive.map(\.key)).sorted() where !inventory.isAlive(key) { try await swapLocks(key) }
            for network in former {
                try await engineStep("removing a network", limit: .seconds(120)) { engine throws(EngineError) in
                    try await engine.remove(network: network.id)
                }
                logger.notice("Removed the network \(network.name)", metadata: ["app-id": "\(app)"])
            }
            try await refreshNetworks()
            for network in wanted { try await createNetwork(app, app.engineName(network.name)) }
        } catch {
            if error.code != .unavailable, error.code != .timeout {
                await restoreNetworks(app, former, definitions)
                for instance in alive { await restart(former: instance.key, instance.id) }
            }
            throw error
        }
    }

    /// Compares with all networks that the engine has, and has it make each one under another name, as far as the addresses
    /// of the present one allow that.
    private func askForNetworks(
        _ app: AppID,
        _ wanted: [NetworkTarget],
        replacing former: [EngineNetwork]
    ) async throws(SupervisorError) {
        for network in former {
            let others = try await engineStep("looking at a network", limit: .seconds(60)) {
                engine throws(EngineError) in
                try await engine.containers(onNetwork: network.id)
            }
            let own = Set(inventory.containers(of: app).map(\.name))
            if let other = others.first(where: { !own.contains($0) }) {
                throw SupervisorError(
                    .failed,
                    "the network \(network.name) cannot be changed: the container \(other) is on it, which is not the "
                        + "application's"
                )
            }
        }
        let all = try await engineStep("listing networks", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.networks(label: nil)
        }
        let replaced = Set(former.map(\.id))
        for network in wanted {
            let blocks = network.subnets.compactMap { AddressBlock(subnet: $0.subnet) }
            for other in all where !replaced.contains(other.id) {
                guard let taken = other.firstSubnet(overlapping: blocks) else { continue }
                throw SupervisorError(
                    .failed,
                    "the network \(app.engineName(network.name)) cannot be changed: its addresses overlap with \(taken) of the "
                        + "network \(other.name)"
                )
            }
            let overlapsFormer = former.contains { $0.firstSubnet(overlapping: blocks) != nil }
            try await tryOut(app, network, withAddresses: !overlapsFormer)
        }
    }

    private func tryOut(
        _ app: AppID,
        _ network: NetworkTarget,
        withAddresses: Bool
    ) async throws(SupervisorError) {
        var specification = builder().specification(app: app, network: network, bridge: freeBridge())
        specification.name = ContainerName.trialPrefix + specification.name
        specification.labels = [
            ContainerLabel.app: app.description, ContainerLabel.network: network.name, ContainerLabel.trial: "1",
            ContainerLabel.configuration: "trial",
        ]
        if !withAddresses { specification.subnets = [] }
        let trial = specification
        let id = try await engineStep("trying out a network", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.create(trial)
        }
        try await engineStep("removing a network", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.remove(network: id)
        }
    }

    /// Makes the networks once more that have been removed, under their former bridges.
    private func restoreNetworks(_ app: AppID, _ former: [EngineNetwork], _ definitions: [NetworkTarget]) async {
        do throws(SupervisorError) {
            try await refreshNetworks()
            for network in former where inventory.network(named: network.name)?.id != network.id {
                if let new = inventory.network(named: network.name) { await removeNetwork(app, new.name, new.id) }
                guard let definition = definitions.first(where: { app.engineName($0.name) == network.name }) else {
                    continue
                }
                try await createNetwork(app, definition, bridge: network.bridge ?? freeBridge())
            }
        } catch {
            logger.error("A former network could not be restored: \(error)", metadata: ["app-id": "\(app)"])
        }
    }
}

extension EngineNetwork {
    fileprivate func firstSubnet(overlapping blocks: [AddressBlock]) -> String? {
        subnets.first { text in
            guard let subnet = AddressBlock(subnet: text) else { return false }
            return blocks.contains { $0.overlaps(subnet) }
        }
    }
}
