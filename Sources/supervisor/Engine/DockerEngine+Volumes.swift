internal import JSON
internal import NIOHTTP1
public import SupervisorCore
internal import UnixHTTP

extension DockerEngine {
    public func volumes(label: String?) async throws(EngineError) -> [EngineVolume] {
        let attempt = "list volumes"
        let filters = label.map { label -> JSONValue in ["label": [.string(label)]] }
        let target = EnginePath(["volumes"], query: ["filters": filters?.text])
        let response = try await call(.GET, target, timeout: timeouts.query, limit: Limit.list, attempting: attempt)
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try await json(response, limit: Limit.list, attempting: attempt)
        // null where there is none.
        guard let list = answer["Volumes"], let entries = list == .null ? [] : list.arrayValue else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer has no list")
        }
        var volumes: [EngineVolume] = []
        for entry in entries {
            guard let name = entry["Name"]?.plainValue else {
                throw EngineError(.malformedAnswer, "cannot \(attempt): an entry has no name")
            }
            volumes.append(EngineVolume(name: name, labels: entry["Labels"].labels))
        }
        return volumes
    }

    public func create(_ specification: VolumeSpecification) async throws(EngineError) {
        let name = try EngineName(specification.name, of: "volume")
        let attempt = "create volume \(name)"
        let response = try await call(
            .POST,
            EnginePath(["volumes", "create"]),
            body: specification.createBody,
            timeout: timeouts.change,
            attempting: attempt
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
    }
}

extension VolumeSpecification {
    /// The body of `POST /volumes/create`. The same specification gives the same bytes.
    var createBody: JSONValue {
        [
            "Name": .string(name),
            "Driver": .string(driver),
            "DriverOpts": JSONValue(strings: options),
            "Labels": JSONValue(strings: labels),
        ]
    }
}
