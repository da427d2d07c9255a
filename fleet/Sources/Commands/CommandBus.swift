import NATSClient
import NIOCore

/// Sends commands to devices over the bus, one request a device.
struct CommandBus: Sendable {
    static let window = 1000

    let client: AsyncNATSClient

    static func subject(_ uuid: String, _ verb: String) -> String { "sup.v1.dev.\(uuid).\(verb)" }

    private static var headers: NATSHeaders {
        get throws(NATSError) {
            var headers = NATSHeaders()
            try headers.add("Sup-Version", "1")
            return headers
        }
    }

    /// The results come in batches, in the order in which devices answer.
    func send(
        _ commands: [(uuid: String, command: Command)],
        deadline: TimeAmount
    ) throws -> AsyncStream<[CommandResult]> {
        let headers = try Self.headers
        let requests = commands.map { item in
            NATSRequest(
                Self.subject(item.uuid, "call"),
                headers: headers,
                payload: ByteBuffer(bytes: item.command.encoded())
            )
        }
        let batches = client.fanOut(requests, window: Self.window, deadline: deadline)
        return AsyncStream { continuation in
            let task = Task {
                for await batch in batches {
                    continuation.yield(
                        batch.map { item in
                            let (uuid, command) = commands[item.index]
                            return CommandResult(uuid: uuid, answer: Self.answer(item.result, command))
                        }
                    )
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static func answer(_ result: Result<NATSReply, NATSError>, _ command: Command) -> DeviceAnswer? {
        switch result {
        case .success(let reply):
            return DeviceAnswer(reply: Array(reply.payload.readableBytesView), of: command.id)
        case .failure(let error):
            switch error.code {
            case .noResponders: return nil
            case .deadlineExceeded: return .failure(504, "the device did not answer in time")
            case .notConnected, .overloaded: return .failure(502, "the bus is not available; nothing was sent")
            default: return .failure(502, "the device went away after the command was sent")
            }
        }
    }

    /// Has a device poll now. Nothing is lost where it does not arrive: the device polls by itself, too.
    func poke(_ uuid: String) async {
        try? await client.publish(Self.subject(uuid, "poke"), payload: ByteBuffer())
    }

    func cancel(_ uuid: String, id: String) async {
        try? await client.publish(Self.subject(uuid, "cancel"), payload: ByteBuffer(string: "{\"id\":\"\(id)\"}"))
    }
}
