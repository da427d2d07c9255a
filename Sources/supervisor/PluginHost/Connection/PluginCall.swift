import SupervisorCore
import SupervisorPluginAPI

/// One call of an operation, from submission to its one answer.
///
/// Its stations: `PluginHost.call` makes it (`perform`) and hands it to the operation's provider, `SupervisedPlugin.submit`
/// sends it or queues it until `pump` finds room, `PluginConnection.send` writes it as a frame, and the connection's
/// `RequestTable` keeps it until the answer with its id has come, or its time is up.
///
/// Lives on the event loop. Answered exactly once: what comes after the first answer is dropped.
final class PluginCall {
    typealias Outcome = Result<JSONObject, CallError>

    let operation: String
    let parameters: JSONObject
    let deadline: Duration
    /// What the log calls it.
    let requestID: String?
    /// What the contract says; nil for an operation that it does not know.
    let contractSaysIdempotent: Bool?
    let recorder: FrameRecorder?
    /// How often it was written to a plugin.
    var attempts = 0

    private var answer: ((Outcome) -> Void)?

    init(
        operation: String,
        parameters: JSONObject,
        deadline: Duration,
        requestID: String? = nil,
        contractSaysIdempotent: Bool? = nil,
        recorder: FrameRecorder? = nil,
        answer: @escaping (Outcome) -> Void
    ) {
        self.operation = operation
        self.parameters = parameters
        self.deadline = deadline
        self.requestID = requestID
        self.contractSaysIdempotent = contractSaysIdempotent
        self.recorder = recorder
        self.answer = answer
    }

    var isAnswered: Bool { answer == nil }

    func finish(_ outcome: Outcome) {
        let answer = answer
        self.answer = nil
        answer?(outcome)
    }

    func fail(_ error: HostOperationError) {
        finish(.failure(CallError(error)))
    }

    /// Answers with what a plugin said, free of this call's secrets.
    func fail(_ error: PluginError, of plugin: String, isIdempotent: Bool) {
        let secrets = Redaction.secrets(in: .object(parameters))
        var error = error
        error.message = Redaction.removing(secrets, from: error.message)
        error.detail = error.detail.map { Redaction.removing(secrets, from: $0) }
        finish(.failure(CallError(HostOperationError(error, of: plugin, isIdempotent: isIdempotent), error)))
    }
}
