/// Why the host did not do what the core asked for.
public struct HostOperationError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        let rawValue: String

        /// There is no plugin for it on this device.
        public static let noProvider = Code(rawValue: "no-provider")
        public static let invalidArgument = Code(rawValue: "invalid-argument")
        /// A plugin that says that this machine cannot do it.
        public static let notSupported = Code(rawValue: "not-supported")
        public static let permissionDenied = Code(rawValue: "permission-denied")
        /// The plugin, or what it needs, is away.
        public static let unavailable = Code(rawValue: "unavailable")
        public static let busy = Code(rawValue: "busy")
        public static let timeout = Code(rawValue: "timeout")
        public static let failed = Code(rawValue: "failed")
    }

    public var code: Code
    /// One line for people. Never holds a secret.
    public var message: String
    /// Whether the operation may have been done: the plugin died or was silent after the request was written.
    public var isOutcomeUnknown: Bool
    /// Whole seconds after which a second attempt makes sense.
    public var retryAfter: Int?

    public init(_ code: Code, _ message: String, isOutcomeUnknown: Bool = false, retryAfter: Int? = nil) {
        self.code = code
        self.message = message
        self.isOutcomeUnknown = isOutcomeUnknown
        self.retryAfter = retryAfter
    }

    public var description: String { message }
}

extension SupervisorError {
    /// As the API reports it.
    init(_ error: HostOperationError) {
        switch error.code {
        case .noProvider: self.init(.notSupported, error.message)
        case .notSupported: self.init(.notFound, error.message)
        case .invalidArgument: self.init(.invalidArgument, error.message)
        case .unavailable: self.init(.unavailable, error.message, retryAfter: error.retryAfter)
        case .busy: self.init(.busy, error.message, retryAfter: error.retryAfter)
        case .timeout: self.init(.timeout, error.message)
        default: self.init(.failed, error.message)
        }
    }
}
