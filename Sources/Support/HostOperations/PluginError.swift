package import JSON
import LinuxSupport

/// Why a call of the plugin protocol failed, as it stands in the `error` of a response.
///
/// Never holds a secret: the message is shown to users and written to logs.
public struct PluginError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The codes of JSON-RPC 2.0, section 5.1, and those of the plugin protocol.
    public struct Code: Sendable, Hashable {
        public var rawValue: Int64

        public init(rawValue: Int64) {
            self.rawValue = rawValue
        }

        public static let parseError = Code(rawValue: -32700)
        public static let invalidRequest = Code(rawValue: -32600)
        public static let methodNotFound = Code(rawValue: -32601)
        public static let invalidParams = Code(rawValue: -32602)
        public static let internalError = Code(rawValue: -32603)
        /// The operation failed; `reason` says how.
        public static let operationFailed = Code(rawValue: -32000)
        /// There is no version of the protocol that both sides support.
        public static let unsupportedVersion = Code(rawValue: -32001)
        /// A call before the handshake was complete.
        public static let notInitialized = Code(rawValue: -32002)
        /// The core has cancelled the call.
        public static let cancelled = Code(rawValue: -32003)
    }

    /// The kind of a failed operation.
    public struct Reason: Sendable, Hashable {
        public var rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The parameters are wrong in themselves.
        public static let invalidArgument = Reason(rawValue: "invalid-argument")
        /// This machine cannot do it.
        public static let notSupported = Reason(rawValue: "not-supported")
        /// A policy of the host refuses.
        public static let permissionDenied = Reason(rawValue: "permission-denied")
        /// Something that is needed is away, such as a service or the bus.
        public static let unavailable = Reason(rawValue: "unavailable")
        /// Not now; a later attempt may succeed.
        public static let busy = Reason(rawValue: "busy")
        /// What was asked did not answer in time; the outcome may be unknown.
        public static let timeout = Reason(rawValue: "timeout")
        /// Anything else.
        public static let failed = Reason(rawValue: "failed")
    }

    public var code: Code
    /// One line for people: what was tried and what went wrong.
    public var message: String
    /// nil for faults of the envelope.
    public var reason: Reason?
    /// Whether the same call may succeed later.
    public var isRetryable: Bool
    /// More for an operator, such as a program's complaint.
    public var detail: String?
    /// Who said so, such as "org.freedesktop.DBus.Error.AccessDenied".
    public var source: String?

    /// A failed operation (-32000).
    public init(
        _ reason: Reason,
        _ message: String,
        isRetryable: Bool? = nil,
        detail: String? = nil,
        source: String? = nil
    ) {
        code = .operationFailed
        self.message = message
        self.reason = reason
        self.isRetryable = isRetryable ?? [.unavailable, .busy, .timeout].contains(reason)
        self.detail = detail
        self.source = source
    }

    /// A fault of the envelope.
    public init(code: Code, _ message: String) {
        self.code = code
        self.message = message
        isRetryable = false
    }

    public var description: String { message }
}

extension PluginError {
    /// Bytes of a message, and of a detail, that are kept of what a plugin says.
    private static let textLimit = 2048

    /// nil for a value that is not an error object of JSON-RPC. Texts that are too long are cut.
    package init?(json: JSONValue) {
        guard let code = json["code"]?.integerValue, let message = json["message"]?.stringValue else { return nil }
        self.init(code: Code(rawValue: code), message.cut(toBytes: Self.textLimit))
        let data = json["data"]
        reason = data?["reason"]?.plainValue.map(Reason.init)
        isRetryable = data?["retryable"]?.boolValue ?? false
        detail = data?["detail"]?.stringValue?.cut(toBytes: Self.textLimit)
        source = data?["source"]?.plainValue
    }

    package var json: JSONValue {
        var object: JSONObject = ["code": .integer(code.rawValue), "message": .string(message)]
        if let reason {
            var data: JSONObject = ["reason": .string(reason.rawValue), "retryable": .bool(isRetryable)]
            if let detail { data["detail"] = .string(detail) }
            if let source { data["source"] = .string(source) }
            object["data"] = .object(data)
        }
        return .object(object)
    }
}
