import JSON
import SupervisorEventLoop
import SupervisorPluginAPI

/// What the connections to the supervisor share. On the event loop only.
final class PluginService {
    typealias Operation = @Sendable (JSONObject) async throws(PluginError) -> JSONObject

    struct Entry {
        var name: String
        var isIdempotent: Bool
        var body: Operation
    }

    let executor: LoopExecutor
    let operations: [Entry]
    /// The notification that a new connection gets first.
    var greeting: () -> Frame?
    private var connections: [ObjectIdentifier: PluginConnection] = [:]

    init(executor: LoopExecutor, operations: [Entry], greeting: @escaping () -> Frame?) {
        self.executor = executor
        self.operations = operations
        self.greeting = greeting
    }

    static func entry<O: HostOperation>(
        _ operation: O.Type,
        _ body: @escaping @Sendable (O.Parameters) async throws(PluginError) -> O.Reply
    ) -> Entry {
        Entry(name: O.name, isIdempotent: O.isIdempotent) { json throws(PluginError) in
            try await body(try O.Parameters(json: json)).json
        }
    }

    func joined(_ connection: PluginConnection) { connections[ObjectIdentifier(connection)] = connection }
    func left(_ connection: PluginConnection) { connections[ObjectIdentifier(connection)] = nil }

    func notify(_ frame: Frame) {
        for connection in connections.values { connection.notify(frame) }
    }
}
