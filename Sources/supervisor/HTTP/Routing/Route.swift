import NIOHTTP1
import SupervisorCore

/// One method of one path: who may call it and what it does.
struct Route: Sendable {
    enum Access: Sendable {
        /// Wants the API key.
        case key
        /// Wants it unless the configuration says otherwise.
        case ping
        case open
    }

    /// How a failure is reported.
    enum ErrorForm: Sendable {
        /// Text that every proxy passes.
        case text
        /// `{"Data":"","Error":"…"}`
        case data
        /// Text with every character of it, for an operator at the control socket.
        case verbatim
    }

    enum Action: Sendable {
        /// Answered within the call, on the event loop.
        case immediate(@Sendable (Request, any DeviceAPI) throws(SupervisorError) -> Response)
        /// Answered later. Runs to its end even if the client leaves.
        case task(@Sendable (Request, any DeviceAPI) async throws(SupervisorError) -> Response)
        /// Answered later, by something that only waits: cancelled when the client leaves and when the server stops.
        case wait(@Sendable (Request, any DeviceAPI) async throws(SupervisorError) -> Response)
        /// Answered line by line, for as long as there are lines, the client is there and the server runs.
        case stream(@Sendable (Request, any DeviceAPI) async throws(SupervisorError) -> LineStream)
    }

    var method: HTTPMethod
    /// Lower case; one segment may be ":id".
    var path: String
    var access = Access.key
    /// Otherwise a body is read and thrown away.
    var readsBody = false
    /// Whether it changes something, or hands out a secret: then the log has it by default.
    var isNotable = false
    var errors = ErrorForm.text
    var action: Action
}
