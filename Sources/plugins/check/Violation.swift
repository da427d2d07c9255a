/// Output in any exchange that no plugin may write; each kind is a check of its own at the end.
enum Violation: String, CaseIterable {
    case notFrame = "output.frames-only"
    case envelope = "output.envelope"
    case size = "output.size"
    case call = "output.no-calls"
    case answer = "output.answered-once"
    case error = "output.errors"

    var title: String {
        switch self {
        case .notFrame: "every line of standard output is a JSON object, also after the last response"
        case .envelope:
            "every frame has jsonrpc 2.0 and, if it is a response, exactly one of result (an object) and error"
        case .size: "no frame is longer than 1 MiB"
        case .call: "the plugin sends no requests"
        case .answer: "no request is answered twice, and no id that was not sent"
        case .error: "every error has a code of the protocol, and -32000 a reason of the protocol"
        }
    }
}
