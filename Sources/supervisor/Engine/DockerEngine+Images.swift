internal import NIOHTTP1
public import SupervisorCore
internal import SupervisorPluginAPI
internal import UnixHTTP

extension DockerEngine {
    public func image(_ reference: String) async throws(EngineError) -> EngineImage? {
        let image = try ImageReference(reference)
        let attempt = "inspect image \(image)"
        let target = RequestTarget(["images"] + image.segments + ["json"])
        let response = try await call(.GET, target, timeout: timeouts.query, attempting: attempt)
        if response.status == 404 { return nil }
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try response.json(limit: Limit.other, attempting: attempt)
        guard let id = answer["Id"]?.stringValue, !id.isEmpty else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer has no id")
        }
        return EngineImage(id: id, tags: answer["RepoTags"].strings, digests: answer["RepoDigests"].strings)
    }

    /// The engine's answer is 200 before it knows whether the download succeeds: what counts is what it says in the
    /// stream, and whether it has the image afterwards.
    public func pull(
        _ reference: String,
        credentials: RegistryCredentials?,
        progress: @escaping @Sendable (Double) -> Void
    ) async throws(EngineError) {
        let image = try ImageReference(reference)
        let attempt = "download image \(image)"
        guard !image.isID else { throw EngineError(.invalid, "cannot \(attempt): an id names no registry") }
        let target = RequestTarget(["images", "create"], query: ["fromImage": image.name, "tag": image.version])
        var (response, consumer) = try await stream(
            .POST,
            target,
            headTimeout: timeouts.pullSilence,
            idleTimeout: timeouts.pullSilence,
            attempting: attempt,
            into: PullConsumer(report: progress)
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        consumer.finish()
        if let failure = consumer.failure {
            throw EngineError(failure.code, "cannot \(attempt): \(failure.message)")
        }
        guard try await self.image(reference) != nil else {
            throw EngineError(.failed, "cannot \(attempt): the engine does not have it afterwards")
        }
        progress(100)
    }

    public func remove(image reference: String) async throws(EngineError) {
        let image = try ImageReference(reference)
        let attempt = "remove image \(image)"
        let target = RequestTarget(["images"] + image.segments, query: ["force": "0", "noprune": "0"])
        let response = try await call(.DELETE, target, timeout: timeouts.change, attempting: attempt)
        guard response.isSuccess || response.status == 404 else { throw EngineError(response, attempting: attempt) }
    }
}
