internal import JSON
internal import NIOHTTP1
public import SupervisorCore
internal import UnixHTTP

extension DockerEngine {
    public func image(_ reference: String) async throws(EngineError) -> EngineImage? {
        let image = try ImageReference(reference)
        let attempt = "inspect image \(image)"
        let target = EnginePath(["images"] + image.segments + ["json"])
        let response = try await call(.GET, target, timeout: timeouts.query, stringLimit: 4096, attempting: attempt)
        if response.status == 404 { return nil }
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        let answer = try await json(response, limit: Limit.other, attempting: attempt)
        guard let id = answer["Id"]?.plainValue, !id.isEmpty else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer has no id")
        }
        return EngineImage(id: id, tags: answer["RepoTags"].plainStrings, digests: answer["RepoDigests"].plainStrings)
    }

    /// The engine's answer is 200 before it knows whether the download succeeds: what counts is what it says in the
    /// stream, and whether it has the image afterwards.
    ///
    /// Docker itself retries a layer five times when the connection breaks off, and continues where it ended (a request
    /// for the rest of it); a partially downloaded image is lost when it gives up.
    public func pull(
        _ reference: String,
        credentials: RegistryCredentials?,
        progress: @escaping @Sendable (Double) -> Void
    ) async throws(EngineError) {
        let image = try ImageReference(reference)
        let attempt = "download image \(image)"
        guard !image.isID else { throw EngineError(.invalid, "cannot \(attempt): an id names no registry") }
        if let credentials, RegistryHost(image: image.name).name != credentials.registry {
            throw EngineError(.invalid, "cannot \(attempt): the credentials are for another registry: \(credentials)")
        }
        let target = EnginePath(["images", "create"], query: ["fromImage": image.name, "tag": image.version])
        var (response, consumer) = try await stream(
            .POST,
            target,
            headers: credentials.map { ["X-Registry-Auth": $0.headerValue] } ?? [:],
            headTimeout: timeouts.pullSilence,
            idleTimeout: timeouts.pullSilence,
            attempting: attempt,
            into: PullConsumer(report: progress)
        )
        func failure(_ message: String, _ code: EngineError.Code) -> EngineError {
            EngineError(download: image, message: message, hasCredentials: credentials != nil, otherwise: code)
        }
        guard response.isSuccess else {
            let message = response.engineMessage
            throw failure(message, EngineError.Code(status: response.status, message: message))
        }
        consumer.finish()
        if let error = consumer.failure { throw failure(error.message, error.code) }
        guard try await self.image(reference) != nil else {
            throw EngineError(.failed, "cannot \(attempt): the engine does not have it afterwards")
        }
        progress(100)
    }

    public func remove(image reference: String) async throws(EngineError) {
        let image = try ImageReference(reference)
        let attempt = "remove image \(image)"
        let target = EnginePath(["images"] + image.segments, query: ["force": "0", "noprune": "0"])
        let response = try await call(.DELETE, target, timeout: timeouts.change, attempting: attempt)
        guard response.isSuccess || response.status == 404 else { throw EngineError(response, attempting: attempt) }
    }
}
