/// Why the service has not done what was asked of it.
struct CloudError: Error, Sendable, CustomStringConvertible {
    enum Reason: Sendable, Hashable {
        /// There is no answer.
        case unreachable
        /// An answer with this status.
        case status(Int)
        /// An answer that makes no sense.
        case malformedAnswer
        /// Something on this device is missing, such as the provisioning token.
        case local
        case cancelled
    }

    var reason: Reason
    /// One line for people.
    var description: String
    /// Seconds that the service wants to be left alone for (RFC 9110, section 10.2.3).
    var retryAfter: Int64?

    init(_ reason: Reason, _ description: String, retryAfter: Int64? = nil) {
        self.reason = reason
        self.description = description
        self.retryAfter = retryAfter
    }
}
