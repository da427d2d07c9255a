internal import NIOHTTP1
public import SupervisorCore
internal import SupervisorPluginAPI
internal import UnixHTTP

extension DockerEngine {
    public func gateway(network: String) async throws(EngineError) -> String? {
        let name = try EngineName(network, of: "network")
        let attempt = "inspect network \(name)"
        let target = RequestTarget(["networks", name.text])
        let response = try await call(.GET, target, timeout: timeouts.query, attempting: attempt)
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try response.json(limit: Limit.other, attempting: attempt)
        return Self.gateway(of: answer)
    }

    public func networks(label: String) async throws(EngineError) -> [EngineNetwork] {
        throw EngineError(.failed, "cannot list networks")
    }

    public func create(_ specification: NetworkSpecification) async throws(EngineError) -> String {
        throw EngineError(.failed, "cannot create a network")
    }

    public func remove(network id: String) async throws(EngineError) {
        throw EngineError(.failed, "cannot remove a network")
    }

    public func volumes(label: String) async throws(EngineError) -> [EngineVolume] {
        throw EngineError(.failed, "cannot list volumes")
    }

    public func create(_ specification: VolumeSpecification) async throws(EngineError) {
        throw EngineError(.failed, "cannot create a volume")
    }

    public func logs(
        container id: String,
        tail: Int,
        since: Duration?,
        follow: Bool,
        handle: @escaping @Sendable (EngineLogLine) -> Void
    ) async throws(EngineError) {
        throw EngineError(.failed, "cannot read logs")
    }

    /// Docker tells no gateway of its default bridge unless it was configured; there, as everywhere unless configured
    /// otherwise, the bridge has the first address of the subnet.
    static func gateway(of network: JSONValue) -> String? {
        let ranges = network["IPAM"]?["Config"]?.arrayValue ?? []
        for range in ranges {
            if let gateway = IPv4Subnet(range["Gateway"]?.stringValue ?? "") { return gateway.address }
        }
        for range in ranges {
            if let subnet = IPv4Subnet(range["Subnet"]?.stringValue ?? "") { return subnet.firstHost }
        }
        return nil
    }
}
