/// What plugins have written in all exchanges that no plugin may write; each kind is a check of its own at the end.
enum Violation: String, CaseIterable {
    case notFrame = "output.frames-only"
    case envelope = "output.envelope"
    case size = "output.size"
    case call = "output.no-calls"
    case answer = "output.answered-once"
    case error = "output.errors"

    var title: String {
        switch self {
        case .notFrame: "every line of standard output is a JSON object, also after the last one"
        case .envelope:
            "every frame has jsonrpc 2.0 and, if it is a response, exactly one of result (an object) and error"
        case .size: "no frame is longer than 1 MiB"
        case .call: "the plugin calls nobody"
        case .answer: "no answer comes twice or to an id that was not sent"
        case .error: "every error has a code of the protocol, -32000 a reason of it"
        }
    }
}
