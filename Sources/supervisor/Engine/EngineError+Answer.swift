internal import JSON
internal import SupervisorCore
internal import SupervisorPorts
internal import UnixHTTP

extension EngineError {
    /// The request did not reach the engine.
    init(_ error: UnixHTTPError, attempting attempt: String) {
        let code: Code =
            switch error.reason {
            case .connectFailed, .closed: .unavailable
            case .timedOut: .timeout
            case .answerTooLarge, .malformedAnswer: .malformedAnswer
            case .invalidRequest: .invalid
            case .cancelled: .cancelled
            }
        self.init(code, "cannot \(attempt): \(error)")
    }

    /// The engine answered with an error status.
    init(_ response: UnixHTTPResponse, attempting attempt: String) {
        let message = response.engineMessage
        self.init(Code(status: response.status, message: message), "cannot \(attempt): \(message)")
    }
}

extension EngineError.Code {
    /// By status; docker answers 403 to some conflicts of networks, podman 500 to some of what docker calls a conflict.
    init(status: Int, message: String) {
        switch status {
        case 404: self = .notFound
        case 409: self = .conflict
        case 400: self = .invalid
        case 403 where Self.conflictWords.contains(where: message.mentions),
            500... where Self.conflictWords.contains(where: message.mentions):
            self = .conflict
        case 401, 403, 500...: self = .failed
        default: self = .malformedAnswer
        }
    }

    private static let conflictWords = [
        "that name is already in use",
        "container state improper",
        "image is in use by",
        "has active endpoints",
        "networks have same bridge name",
    ]
}

extension UnixHTTPResponse {
    /// What the engine says of a failure, in one line: JSON with `message`, or plain text from its outermost parts.
    var engineMessage: String {
        let text = String(decoding: body.prefix(4096), as: UTF8.self).oneLine
        let message = (try? JSONValue(parsing: body))?["message"]?.stringValue?.oneLine ?? text
        return message.isEmpty ? "status \(status)" : message
    }
}

extension String {
    /// On one line of at most 500 bytes, for a message: each run of white space becomes one space, and what is too long is cut
    /// between scalars and ends with "…".
    var oneLine: String {
        var line = UnicodeScalarView()
        var size = 0
        var isAfterSpace = true
        for scalar in unicodeScalars {
            let isSpace = scalar.properties.isWhitespace
            if isSpace && isAfterSpace { continue }
            isAfterSpace = isSpace
            let width = isSpace ? 1 : UTF8.width(scalar)
            guard size + width <= 500 else {
                while size > 500 - 3, let last = line.popLast() { size -= UTF8.width(last) }
                return String(line) + "…"
            }
            size += width
            line.append(isSpace ? " " : scalar)
        }
        if line.last == " " { line.removeLast() }
        return String(line)
    }
}
