/// What went wrong with a message, a request or a connection.
public struct NATSError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        // Nothing was sent.
        case notConnected
        /// Too much has been written that the server has not taken yet.
        case overloaded
        case payloadTooLarge
        /// A subject or a header that cannot be written.
        case invalid

        // A request was sent and will get no (further) reply.
        /// Nothing serves the subject. Exact, at the time of the request.
        case noResponders
        case deadlineExceeded
        /// The connection ended: whether the request arrived is unknown.
        case disconnected
        case cancelled

        // An attempt to connect failed, or a connection ended.
        case unreachable
        case tls
        /// The server refused the credentials, or they are valid no longer.
        case authorization
        /// The answer to the WebSocket request was another one than 101.
        case upgradeRefused
        /// The server sent what the protocol does not have, or more than is allowed.
        case violation
        /// Nothing came for too long.
        case stale
        /// The login was not complete in time.
        case loginTimedOut
        /// There was nothing to log in with, or no server.
        case noCredentials
        case closed
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
