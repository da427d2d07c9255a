internal import JSON
internal import LinuxSupport
internal import Logging
internal import NIOHTTP1
public import SupervisorCore
internal import UnixHTTP

extension DockerEngine {
    public func gateway(network: String) async throws(EngineError) -> String? {
        let name = try EngineName(network, of: "network")
        let attempt = "inspect network \(name)"
        let target = EnginePath(["networks", name.text])
        let response = try await call(.GET, target, timeout: timeouts.query, attempting: attempt)
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try await json(response, limit: Limit.other, attempting: attempt)
        return Self.gateway(of: answer)
    }

    public func networks(label: String?) async throws(EngineError) -> [EngineNetwork] {
        let attempt = "list networks"
        let filters = label.map { label -> JSONValue in ["label": [.string(label)]] }
        let target = EnginePath(["networks"], query: ["filters": filters?.text])
        let response = try await call(.GET, target, timeout: timeouts.query, limit: Limit.list, attempting: attempt)
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let list = try await json(response, limit: Limit.list, attempting: attempt)
        guard let entries = list.arrayValue else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer is not a list")
        }
        var networks: [EngineNetwork] = []
        for entry in entries { networks.append(try EngineNetwork(listed: entry)) }
        return networks
    }

    public func containers(onNetwork id: String) async throws(EngineError) -> [String] {
        let name = try EngineName(id, of: "network")
        let attempt = "inspect network \(name)"
        let target = EnginePath(["networks", name.text])
        let response = try await call(.GET, target, timeout: timeouts.query, attempting: attempt)
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try await json(response, limit: Limit.other, attempting: attempt)
        let containers = answer["Containers"]?.objectValue ?? [:]
        return containers.map { $0.value["Name"]?.stringValue ?? $0.name }
    }

    public func create(_ specification: NetworkSpecification) async throws(EngineError) -> String {
        let name = try EngineName(specification.name, of: "network")
        let attempt = "create network \(name)"
        let response = try await call(
            .POST,
            EnginePath(["networks", "create"]),
            body: specification.createBody,
            timeout: timeouts.change,
            attempting: attempt
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try await json(response, limit: Limit.other, attempting: attempt)
        guard let id = answer["Id"]?.plainValue, !id.isEmpty else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer has no id")
        }
        if let warning = answer["Warning"]?.stringValue, !warning.isEmpty {
            logger.warning("the container engine warns: \(warning.oneLine)", metadata: ["network": "\(name)"])
        }
        return id
    }

    public func remove(network id: String) async throws(EngineError) {
        let name = try EngineName(id, of: "network")
        let attempt = "remove network \(name)"
        let target = EnginePath(["networks", name.text])
        let response = try await call(.DELETE, target, timeout: timeouts.change, attempting: attempt)
        guard response.isSuccess || response.status == 404 else { throw EngineError(response, attempting: attempt) }
    }

    /// Puts a container that does not run yet on one more network.
    func connect(container: EngineName, to attachment: ContainerSpecification.Attachment) async throws(EngineError) {
        let network = try EngineName(attachment.network, of: "network")
        let attempt = "connect container \(container) to network \(network)"
        let response = try await call(
            .POST,
            EnginePath(["networks", network.text, "connect"]),
            body: ["Container": .string(container.text), "EndpointConfig": attachment.endpoint],
            timeout: timeouts.change,
            attempting: attempt
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
    }

    /// Docker reports no gateway of its default bridge unless it was configured; there, as everywhere unless configured
    /// otherwise, the bridge has the first address of the subnet.
    static func gateway(of network: JSONValue) -> String? {
        let ranges = network["IPAM"]?["Config"]?.arrayValue ?? []
        for range in ranges {
            if let gateway = AddressBlock(range["Gateway"]?.stringValue ?? "")?.ipv4Address { return gateway }
        }
        for range in ranges {
            if let subnet = AddressBlock(range["Subnet"]?.stringValue ?? ""), subnet.isIPv4 {
                return subnet.firstIPv4Host
            }
        }
        return nil
    }
}
