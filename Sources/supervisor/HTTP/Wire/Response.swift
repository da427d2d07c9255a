import JSON
import NIOHTTP1

/// An answer before it is written.
struct Response: Sendable, Hashable {
    enum Body: Sendable, Hashable {
        case none
        /// text/plain; charset=utf-8
        case text(String)
        /// application/json; charset=utf-8
        case json([UInt8])
    }

    struct Header: Sendable, Hashable {
        var name: String
        var value: String
    }

    var status: HTTPResponseStatus
    var body = Body.none
    /// Those of this answer alone; never holds what came from a client.
    var headers: [Header] = []

    static let ok = text(.ok, "OK")
    static let empty = Response(status: .ok)
    static let noContent = Response(status: .noContent)
    static let unauthorized = text(.unauthorized, "Unauthorized")

    static func text(_ status: HTTPResponseStatus, _ text: String) -> Response {
        Response(status: status, body: .text(text))
    }

    static func json(_ value: JSONValue, _ status: HTTPResponseStatus = .ok) -> Response {
        Response(status: status, body: .json(value.encoded()))
    }

    func with(_ name: String, _ value: String) -> Response {
        var response = self
        response.headers.append(Header(name: name, value: value))
        return response
    }
}
