internal import JSON
internal import NIOHTTP1
public import SupervisorCore
internal import UnixHTTP

extension DockerEngine {
    /// Before version 1.42 of the API the answer does not say whether the stream has frames, so the container is
    /// inspected.
    public func logs(
        container id: String,
        tail: Int,
        since: Duration?,
        follow: Bool,
        handle: @escaping @Sendable (EngineLogLine) -> Void
    ) async throws(EngineError) {
        let name = try EngineName(id, of: "container")
        let attempt = "read the logs of container \(name)"
        guard let details = try await details(of: name) else {
            throw EngineError(.notFound, "cannot \(attempt): there is no such container")
        }
        let hasTerminal = details["Config"]?["Tty"]?.boolValue ?? false
        let target = EnginePath(
            ["containers", name.text, "logs"],
            query: [
                "stdout": "1", "stderr": "1", "tail": String(max(0, tail)), "follow": follow ? "1" : "0",
                "since": since?.timestamp,
            ]
        )
        var (response, consumer) = try await stream(
            .GET,
            target,
            headTimeout: timeouts.query,
            idleTimeout: follow ? nil : timeouts.query,
            attempting: attempt,
            into: LogConsumer(hasFrames: !hasTerminal, handle: handle)
        )
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        consumer.finish()
        if let failure = consumer.failure {
            throw EngineError(failure.code, "cannot \(attempt): \(failure.message)")
        }
    }
}

extension Duration {
    /// Seconds with nine digits of fraction, as the engine takes a time since 1970.
    fileprivate var timestamp: String {
        let (seconds, attoseconds) = components
        let nanoseconds = String(attoseconds / 1_000_000_000)
        return "\(seconds).\(String(repeating: "0", count: 9 - nanoseconds.utf8.count))\(nanoseconds)"
    }
}
