internal import JSON
internal import SupervisorCore

/// The bridge driver's option for the name of the bridge on the host.
private let bridgeName = "com.docker.network.bridge.name"

extension NetworkSpecification {
    /// The body of `POST /networks/create`. The same specification gives the same bytes.
    var createBody: JSONValue {
        var body: JSONObject = [
            "Name": .string(name),
            // Without it, older engines make a second network of the same name.
            "CheckDuplicate": true,
            "Driver": "bridge",
        ]
        if isInternal { body["Internal"] = true }
        if enablesIPv6 { body["EnableIPv6"] = true }
        if !subnets.isEmpty { body["IPAM"] = ["Config": .array(subnets.map(\.value))] }
        body["Options"] = JSONValue(strings: options.merging([bridgeName: bridge]) { _, ours in ours })
        body["Labels"] = JSONValue(strings: labels)
        return .object(body)
    }
}

extension NetworkSpecification.Subnet {
    fileprivate var value: JSONValue {
        var value: JSONObject = ["Subnet": .string(subnet)]
        value["Gateway"] = gateway.map(JSONValue.string)
        value["IPRange"] = range.map(JSONValue.string)
        return .object(value)
    }
}

extension ContainerSpecification.Attachment {
    /// What the engine calls the settings of an endpoint.
    var endpoint: JSONValue {
        var endpoint: JSONObject = [:]
        if !aliases.isEmpty { endpoint["Aliases"] = .array(aliases.map(JSONValue.string)) }
        if let ipv4Address { endpoint["IPAMConfig"] = ["IPv4Address": .string(ipv4Address)] }
        return .object(endpoint)
    }
}

extension EngineNetwork {
    /// An entry of `GET /networks`.
    init(listed entry: JSONValue) throws(EngineError) {
        guard let id = entry["Id"]?.stringValue, let name = entry["Name"]?.stringValue else {
            throw EngineError(.malformedAnswer, "cannot list networks: an entry is not complete")
        }
        self.init(
            id: id,
            name: name,
            labels: entry["Labels"].labels,
            bridge: entry["Driver"]?.stringValue == "bridge" ? entry["Options"]?[bridgeName]?.stringValue : nil,
            gateway: DockerEngine.gateway(of: entry),
            subnets: (entry["IPAM"]?["Config"]?.arrayValue ?? []).compactMap { $0["Subnet"]?.stringValue }
        )
    }
}
