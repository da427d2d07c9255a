import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSON
import NIOCore
import ServiceLifecycle

extension FleetService {
    /// `GET /api/v1/events`: server-sent events; a comment line every 15 s shows that the reader is still there.
    func events(_ call: Call) async throws -> Answer {
        let (token, _) = try await token(call, atLeast: .read)
        guard let stream = fleet.events.subscribe() else {
            throw Refusal(Answer.error(503, "too many read events already").with(.retryAfter, "30"))
        }
        let fleet = fleet
        let body = ResponseBody { writer in
            try await writer.write(ByteBuffer(string: ": connected\n\n"))
            var applications: [String: Int64] = [:]
            for await event in Self.withHeartbeat(stream) {
                guard let event else {
                    // The token may have been revoked or have expired meanwhile.
                    let present = try await fleet.registry.read { try $0.token(id: token.id) }
                    guard let present, !present.revoked, present.expires > RegistryTransaction.now else { break }
                    try await writer.write(ByteBuffer(string: ": alive\n\n"))
                    continue
                }
                if token.applications != nil {
                    var application = event.application ?? applications[event.uuid]
                    if application == nil {
                        application = try await fleet.registry.read { try $0.device(uuid: event.uuid)?.application }
                        if applications.count > 10_000 { applications.removeAll() }
                        applications[event.uuid] = application
                    }
                    guard let application, token.covers(application: application) else { continue }
                }
                try await writer.write(ByteBuffer(string: "data: \(event.value.text)\n\n"))
            }
            try await writer.finish(nil)
        }
        return Answer(200, "text/event-stream", stream: body).with(.cacheControl, "no-store")
    }

    /// The events, nil every 15 s, until the service shuts down.
    private static func withHeartbeat(_ events: AsyncStream<EventHub.Event>) -> AsyncStream<EventHub.Event?> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1000)) { continuation in
            let task = Task {
                await cancelWhenGracefulShutdown {
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask { for await event in events { continuation.yield(event) } }
                        group.addTask {
                            while (try? await Task.sleep(for: .seconds(15))) != nil { continuation.yield(nil) }
                        }
                        await group.waitForAll()
                    }
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
