public import HostOperations
public import JSON

/// What the core wants done to the host. It names operations, never those who do them.
///
/// Every call ends within a deadline of its own. An operation that is not idempotent is never sent twice.
public protocol HostOperations: Sendable {
    /// Has the operation done by its provider. `requestID` is for the log.
    func call<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ parameters: Operation.Parameters,
        requestID: String?
    ) async throws(HostOperationError) -> Operation.Reply

    /// Whether a plugin for the operation is on this device, up or not: a call might succeed, now or later. Asked on the
    /// event loop, and cheap.
    func provides(_ operation: String) -> Bool

    /// Sees to it that the providers of these operations are connected, as far as they can be: a shutdown stops new
    /// connections before it stops those that are up.
    func connect(_ operations: [String]) async

    /// Calls `handle` on the event loop for what providers tell by themselves. Set once, before anything is called.
    func observe(_ handle: @escaping @Sendable (HostEvent) -> Void)

    /// nil while every essential provider is up or absent, otherwise one line. Asked on the event loop.
    func ailment() -> String?

    /// Everything that `superctl plugins` shows: an array, an element for each manifest.
    func plugins() async -> JSONValue

    /// Drives one operation by hand. Returns {"result":…} or {"error":…}, with "provider", "durationMicroseconds" and, if
    /// `recordsFrames`, "frames", free of secrets.
    func call(
        named operation: String,
        _ parameters: JSONObject,
        recordsFrames: Bool
    ) async throws(HostOperationError) -> JSONValue
}

/// Something that a provider tells by itself.
public enum HostEvent: Sendable, Hashable {
    /// A handshake with a plugin that provides these operations is through: what a user chose is to be applied again.
    case ready(operations: [String])
    /// The last provider of these operations is gone.
    case gone(operations: [String])
    case notification(method: String, parameters: JSONObject)
    /// A plugin is in another state now, in the words of `superctl plugins`; with the reason where it has one.
    case state(plugin: String, String, reason: String?)
}

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
    /// As the API tells it.
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

/// A device without plugins.
public struct NoHostOperations: HostOperations {
    public init() {}

    public func call<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ parameters: Operation.Parameters,
        requestID: String?
    ) async throws(HostOperationError) -> Operation.Reply {
        throw HostOperationError(.noProvider, "This device has no plugin for \(Operation.name)")
    }

    public func provides(_ operation: String) -> Bool { false }
    public func connect(_ operations: [String]) async {}
    public func observe(_ handle: @escaping @Sendable (HostEvent) -> Void) {}
    public func ailment() -> String? { nil }
    public func plugins() async -> JSONValue { [] }

    public func call(
        named operation: String,
        _ parameters: JSONObject,
        recordsFrames: Bool
    ) async throws(HostOperationError) -> JSONValue {
        throw HostOperationError(.noProvider, "This device has no plugin for \(operation)")
    }
}
