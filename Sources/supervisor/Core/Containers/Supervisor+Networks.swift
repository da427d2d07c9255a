import CLinux
import Glibc
import Logging
import SupervisorPorts

/// Networks of applications.
extension Supervisor {
    /// Lists our networks again.
    func refreshNetworks() async throws(SupervisorError) {
        let listed = try await engineStep("listing networks", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.networks(label: ContainerLabel.app)
        }
        inventory.replace(networks: listed)
    }

    /// The address at which a service reaches the host: the gateway of the first network that it is on. Empty while that
    /// network is still to be made.
    func hostAddress(_ composition: Composition, of app: AppID) async throws(SupervisorError) -> String {
        guard let first = composition.networks.first else {
            return try await hostAddress(networkMode: composition.networkMode)
        }
        let name = app.engineName(first.network)
        guard let network = inventory.network(named: name) else { return "" }
        guard let gateway = network.gateway else {
            throw SupervisorError(.failed, "the network \(name) has no gateway at which a container reaches the API")
        }
        return gateway
    }

    /// The address at which a container of this network mode reaches the host. Asked once for each plan.
    private func hostAddress(networkMode: String) async throws(SupervisorError) -> String {
        guard networkMode != "host", networkMode != "none" else { return "127.0.0.1" }
        if let known = inventory.gateway(networkMode: networkMode) { return known }
        let gateway = try await engineStep("asking for the network \(networkMode)", limit: .seconds(60)) {
            engine throws(EngineError) in try await engine.gateway(network: networkMode)
        }
        guard let gateway else {
            throw SupervisorError(
                .failed,
                "the network \(networkMode) has no gateway at which a container reaches the API"
            )
        }
        inventory.setGateway(gateway, networkMode: networkMode)
        return gateway
    }

    /// The same without asking; nil where it was not asked for yet.
    func knownHostAddress(_ composition: Composition, of app: AppID) -> String? {
        if let first = composition.networks.first {
            return inventory.network(named: app.engineName(first.network))?.gateway
        }
        return composition.networkMode == "bridge" ? inventory.gateway(networkMode: "bridge") : "127.0.0.1"
    }

    func createNetwork(_ app: AppID, _ name: String) async throws(SupervisorError) {
        try await createNetwork(app, try wantedNetwork(app, name), bridge: freeBridge())
    }

    func createNetwork(_ app: AppID, _ network: NetworkTarget, bridge: String) async throws(SupervisorError) {
        let specification = builder().specification(app: app, network: network, bridge: bridge)
        _ = try await engineStep("creating a network", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.create(specification)
        }
        // The next one must not get the same bridge.
        try await refreshNetworks()
        logger.notice(
            "Created the network \(specification.name), bridge \(specification.bridge)",
            metadata: ["app-id": "\(app)"]
        )
    }

    func wantedNetwork(_ app: AppID, _ name: String) throws(SupervisorError) -> NetworkTarget {
        let known = cycle.releasesToRun.filter { $0.key.app == app }.values.flatMap(\.app.networks)
        guard let network = (known + (target?[app]?.networks ?? [])).first(where: { app.engineName($0.name) == name })
        else { throw SupervisorError(.failed, "the network \(name) is no longer in the target") }
        return network
    }

    /// The first name that no network of ours and no interface of the host has.
    func freeBridge() -> String {
        let taken = inventory.bridges
        var number = 0
        while taken.contains(AppBridge.name(number)) || if_nametoindex(AppBridge.name(number)) != 0 { number += 1 }
        return AppBridge.name(number)
    }

    /// A network with a foreign container on it stays, and is tried again in the next cycle.
    func removeNetwork(_ app: AppID, _ name: String, _ id: String) async {
        do throws(SupervisorError) {
            try await engineStep("removing a network", limit: .seconds(120)) { engine throws(EngineError) in
                try await engine.remove(network: id)
            }
            logger.notice("Removed the network \(name)", metadata: ["app-id": "\(app)"])
        } catch {
            cycle.networkIsInUse(app, name)
            logger.warning("The network \(name) is not removed yet: \(error)", metadata: ["app-id": "\(app)"])
        }
    }
}
