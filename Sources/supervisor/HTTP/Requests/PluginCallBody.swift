import JSON
import SupervisorCore

/// The body of POST /control/call: {"operation":"led.blink","parameters":{…},"record":false}.
struct PluginCallBody: Sendable {
    var operation: String
    /// {} where there are none.
    var parameters: JSONObject
    /// Whether the frames are wanted, too.
    var record: Bool

    init(_ body: RequestBody) throws(SupervisorError) {
        guard let operation = body.members["operation"]?.plainValue, !operation.isEmpty else {
            throw SupervisorError(.invalidArgument, "The body names no operation")
        }
        guard let parameters = (body.members["parameters"] ?? [:]).objectValue else {
            throw SupervisorError(.invalidArgument, "The body's parameters are not an object")
        }
        guard let record = (body.members["record"] ?? false).boolValue else {
            throw SupervisorError(.invalidArgument, "The body's record is neither true nor false")
        }
        self.operation = operation
        self.parameters = parameters
        self.record = record
    }
}
