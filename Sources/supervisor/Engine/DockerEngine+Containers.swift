internal import JSON
internal import Logging
internal import NIOHTTP1
public import SupervisorCore
internal import UnixHTTP

extension DockerEngine {
    public func containers(label: String) async throws(EngineError) -> [EngineContainer] {
        let attempt = "list containers"
        let filters: JSONValue = ["label": [.string(label)]]
        let target = EnginePath(["containers", "json"], query: ["all": "1", "filters": filters.text])
        let response = try await call(
            .GET,
            target,
            timeout: timeouts.query,
            limit: Limit.list,
            attempting: attempt
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let list = try await json(response, limit: Limit.list, attempting: attempt)
        guard let entries = list.arrayValue else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer is not a list")
        }
        var containers: [EngineContainer] = []
        for entry in entries { containers.append(try EngineContainer(listed: entry)) }
        return containers
    }

    public func inspect(container id: String) async throws(EngineError) -> EngineContainerDetail? {
        let name = try EngineName(id, of: "container")
        guard let answer = try await details(of: name) else { return nil }
        return try EngineContainerDetail(inspected: answer)
    }

    /// A container that cannot be put on all of its networks is removed again, as far as the engine lets us: one that
    /// lacks a network must not be taken for what was asked for.
    public func create(_ specification: ContainerSpecification) async throws(EngineError) -> String {
        for attachment in specification.networks { _ = try EngineName(attachment.network, of: "network") }
        let id = try await createOnFirstNetwork(specification)
        let container = try EngineName(id, of: "container")
        for attachment in specification.networks.dropFirst() {
            do throws(EngineError) {
                try await connect(container: container, to: attachment)
            } catch {
                await removeWhateverHappens(container)
                throw error
            }
        }
        return id
    }

    private func createOnFirstNetwork(_ specification: ContainerSpecification) async throws(EngineError) -> String {
        let name = try EngineName(specification.name, of: "container")
        let attempt = "create container \(name)"
        let target = EnginePath(["containers", "create"], query: ["name": name.text])
        let response = try await call(
            .POST,
            target,
            body: specification.createBody,
            timeout: timeouts.change,
            attempting: attempt
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try await json(response, limit: Limit.other, attempting: attempt)
        guard let id = answer["Id"]?.plainValue, !id.isEmpty else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer has no id")
        }
        for warning in answer["Warnings"]?.arrayValue ?? [] {
            guard let text = warning.stringValue else { continue }
            logger.warning("the container engine warns: \(text.oneLine)", metadata: ["container": "\(name)"])
        }
        return id
    }

    @discardableResult
    public func start(container id: String) async throws(EngineError) -> Bool {
        let name = try EngineName(id, of: "container")
        let target = EnginePath(["containers", name.text, "start"])
        let attempt = "start container \(name)"
        let response = try await call(.POST, target, timeout: timeouts.change, attempting: attempt)
        // 304: it runs already.
        guard response.isSuccess || response.status == 304 else { throw EngineError(response, attempting: attempt) }
        return response.status != 304
    }

    public func stop(container id: String, timeout: Duration?) async throws(EngineError) {
        let name = try EngineName(id, of: "container")
        let attempt = "stop container \(name)"
        let patience: Duration
        if let timeout {
            patience = timeout
        } else {
            patience = try await stopTimeout(of: name, attempting: attempt)
        }
        let seconds = timeout.map { String(max(0, $0.wholeSeconds)) }
        let target = EnginePath(["containers", name.text, "stop"], query: ["t": seconds])
        let response = try await call(
            .POST,
            target,
            timeout: max(.zero, patience) + timeouts.stopMargin,
            attempting: attempt
        )
        // 304: it does not run.
        guard response.isSuccess || response.status == 304 else { throw EngineError(response, attempting: attempt) }
    }

    private func stopTimeout(of name: EngineName, attempting attempt: String) async throws(EngineError) -> Duration {
        let answer: JSONValue?
        do throws(EngineError) {
            answer = try await details(of: name)
        } catch {
            guard error.code == .malformedAnswer else { throw error }
            // Whatever the engine says of a container, it can be stopped: with the longest time that a target can ask for.
            return .seconds(3600)
        }
        guard let answer else { throw EngineError(.notFound, "cannot \(attempt): there is no such container") }
        // 10 s unless the container says otherwise.
        return .seconds(max(0, answer["Config"]?["StopTimeout"]?.integerValue ?? 10))
    }

    public func remove(container id: String) async throws(EngineError) {
        let name = try EngineName(id, of: "container")
        let target = EnginePath(["containers", name.text], query: ["v": "1", "force": "0"])
        let attempt = "remove container \(name)"
        let response = try await call(.DELETE, target, timeout: timeouts.change, attempting: attempt)
        guard response.isSuccess || response.status == 404 else { throw EngineError(response, attempting: attempt) }
    }

    /// Also for a caller that is cancelled.
    private func removeWhateverHappens(_ container: EngineName) async {
        let removal = Task { () async -> EngineError? in
            do throws(EngineError) {
                try await self.remove(container: container.text)
                return nil
            } catch {
                return error
            }
        }
        if let error = await removal.value {
            logger.warning("an unfinished container was not removed: \(error)", metadata: ["container": "\(container)"])
        }
    }

    /// nil where there is no such container.
    func details(of name: EngineName) async throws(EngineError) -> JSONValue? {
        let attempt = "inspect container \(name)"
        let target = EnginePath(["containers", name.text, "json"])
        let response = try await call(.GET, target, timeout: timeouts.query, attempting: attempt)
        if response.status == 404 { return nil }
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        return try await json(response, limit: Limit.other, attempting: attempt)
    }
}

extension Duration {
    /// Rounded up: half a second must not mean an immediate kill.
    fileprivate var wholeSeconds: Int64 {
        components.seconds + (components.attoseconds > 0 ? 1 : 0)
    }
}
