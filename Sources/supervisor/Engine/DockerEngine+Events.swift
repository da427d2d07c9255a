internal import NIOCore
internal import NIOHTTP1
public import SupervisorCore
internal import SupervisorPluginAPI
internal import UnixHTTP

extension DockerEngine {
    /// A stream that breaks off because the engine went away has ended, too: an engine that is killed
    /// cannot end it properly.
    public func events(
        label: String,
        handle: @escaping @Sendable (EngineEvent) -> Void
    ) async throws(EngineError) {
        let attempt = "follow the events of containers"
        let filters: JSONValue = ["type": ["container"], "label": [.string(label)]]
        let target = RequestTarget(["events"], query: ["filters": filters.text])
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
