/// Why the engine did not do what it was asked.
public struct EngineError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        let rawValue: String

        /// It cannot be reached, or went away while it worked. The outcome of the call is unknown.
        public static let unavailable = Code(rawValue: "unavailable")
        /// It did not answer in time. The outcome of the call is unknown.
        public static let timeout = Code(rawValue: "timeout")
        /// What was named does not exist.
        public static let notFound = Code(rawValue: "not-found")
        /// A name is taken, or the thing is in use.
        public static let conflict = Code(rawValue: "conflict")
        /// The engine calls the request wrong.
        public static let invalid = Code(rawValue: "invalid")
        /// The engine tried and failed.
        public static let failed = Code(rawValue: "failed")
        /// What came back is not what the API promises.
        public static let malformedAnswer = Code(rawValue: "malformed-answer")
        /// A registry wants credentials, or others than it got.
        public static let unauthorized = Code(rawValue: "unauthorized")
        /// A registry wants no more requests for a while.
        public static let tooManyRequests = Code(rawValue: "too-many-requests")
        /// A registry cannot be reached, or the connection to it broke off.
        public static let unreachable = Code(rawValue: "unreachable")
        /// What came does not match its digest.
        public static let damaged = Code(rawValue: "damaged")
        /// The engine's disk is full.
        public static let noSpace = Code(rawValue: "no-space")
        /// The task was cancelled.
        public static let cancelled = Code(rawValue: "cancelled")
    }

    public var code: Code
    /// One line: what was tried and what the engine said.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
