import JSON
import NIOConcurrencyHelpers

/// Hands events to those who read `/api/v1/events`: presence, reports, commands with their status, never a body.
final class EventHub: Sendable {
    /// An event with the application it belongs to; nil where it is not known.
    struct Event: Sendable {
        var uuid: String
        var application: Int64?
        var value: JSONValue
    }

    private struct Readers {
        var next = 0
        var all: [Int: AsyncStream<Event>.Continuation] = [:]
    }

    static let readerLimit = 200
    /// Events that may wait for a slow reader; the oldest are dropped.
    private static let queueLimit = 1000

    private let readers = NIOLockedValueBox(Readers())

    /// nil where too many read already.
    func subscribe() -> AsyncStream<Event>? {
        readers.withLockedValue { readers in
            guard readers.all.count < Self.readerLimit else { return nil }
            let (stream, continuation) = AsyncStream.makeStream(
                of: Event.self,
                bufferingPolicy: .bufferingNewest(Self.queueLimit)
            )
            let id = readers.next
            readers.next += 1
            readers.all[id] = continuation
            continuation.onTermination = { [weak self] _ in
                // Not under the lock: a stream may end while an event is handed to it.
                self?.readers.withLockedValue { $0.all[id] = nil }
            }
            return stream
        }
    }

    func send(_ event: Event) {
        let all = readers.withLockedValue { Array($0.all.values) }
        for reader in all { reader.yield(event) }
    }

    func presence(_ uuid: String, isConnected: Bool) {
        send(
            Event(uuid: uuid, value: ["type": "presence", "uuid": .string(uuid), "connected": .bool(isConnected)])
        )
    }

    func reported(_ device: FleetDevice) {
        send(
            Event(
                uuid: device.uuid,
                application: device.application,
                value: ["type": "report", "uuid": .string(device.uuid), "status": .string(device.status)]
            )
        )
    }

    func changed(device: FleetDevice) {
        send(
            Event(
                uuid: device.uuid,
                application: device.application,
                value: ["type": "device", "uuid": .string(device.uuid)]
            )
        )
    }

    func command(_ title: String, _ result: CommandResult, actor: String) {
        send(
            Event(
                uuid: result.uuid,
                value: [
                    "type": "command", "uuid": .string(result.uuid), "command": .string(title), "actor": .string(actor),
                    "statusCode": .integer(Int64(result.answer?.status ?? 404)),
                ]
            )
        )
    }
}
