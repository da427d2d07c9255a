internal import JSON
internal import NIOCore
internal import NIOHTTP1
public import SupervisorCore
internal import UnixHTTP

extension DockerEngine {
    /// What changes a container. Each run of a HEALTHCHECK is three events of other kinds, which would wake us for nothing.
    private static let actions: JSONValue = [
        "create", "start", "pause", "unpause", "die", "stop", "destroy", "health_status",
    ]

    /// A stream that breaks off because the engine went away has ended, too: an engine that is killed
    /// cannot end it properly.
    public func events(
        label: String,
        handle: @escaping @Sendable (EngineEvent) -> Void
    ) async throws(EngineError) {
        let attempt = "follow the events of containers"
        var filters: JSONObject = ["type": ["container"], "label": [.string(label)]]
        // podman has other words, and before version 4 an event had to match all of them.
        if let information, information.name != "podman" { filters["event"] = Self.actions }
        let target = EnginePath(["events"], query: ["filters": JSONValue.object(filters).text])
        // Whether the stream was up before it broke off.
        let isConnected = NIOLoopBoundBox(false, eventLoop: loop)
        let consumer = EventConsumer { event in
            if event == .connected { isConnected.value = true }
            handle(event)
        }
        do throws(EngineError) {
            let end = try await stream(
                .GET,
                target,
                headTimeout: timeouts.query,
                idleTimeout: nil,
                attempting: attempt,
                into: consumer
            )
            guard end.response.isSuccess else { throw EngineError(end.response, attempting: attempt) }
            guard let failure = end.consumer.failure else { return }
            throw EngineError(failure.code, "cannot \(attempt): \(failure.message)")
        } catch {
            guard error.code == .unavailable, isConnected.value else { throw error }
        }
    }
}
