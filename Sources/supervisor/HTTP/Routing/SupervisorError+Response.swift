import JSON
import NIOHTTP1
import SupervisorCore

extension SupervisorError {
    /// The status that the API has for this kind of failure.
    var status: HTTPResponseStatus {
        switch code {
        case .invalidArgument: .badRequest
        case .notFound: .notFound
        case .locked: .locked
        case .busy, .unavailable: .serviceUnavailable
        case .timeout: .gatewayTimeout
        case .notSupported: .notImplemented
        default: .internalServerError
        }
    }

    func response(_ form: Route.ErrorForm) -> Response {
        var response: Response
        switch form {
        case .text: response = .text(status, APIText.sanitised(message))
        case .data: response = .json(["Data": "", "Error": .string(APIText.sanitised(message))], status)
        case .verbatim: response = .text(status, APIText.onOneLine(message))
        }
        if let seconds = retryAfter ?? (code == .busy ? 1 : nil) {
            response = response.with("Retry-After", String(max(0, seconds)))
        }
        return response
    }
}
