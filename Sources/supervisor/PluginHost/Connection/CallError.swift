import SupervisorCore
import SupervisorPluginAPI

/// Why a call failed, and what the plugin itself said, where it did.
struct CallError: Error, Sendable, Hashable {
    var error: HostOperationError
    var plugin: PluginError?

    init(_ error: HostOperationError, _ plugin: PluginError? = nil) {
        self.error = error
        self.plugin = plugin
    }

    /// For people.
    var json: JSONValue {
        var json: JSONObject = ["message": .string(error.message)]
        if let plugin {
            json["code"] = .integer(plugin.code.rawValue)
            if let reason = plugin.reason { json["reason"] = .string(reason.rawValue) }
            json["retryable"] = .bool(plugin.isRetryable)
            if let detail = plugin.detail { json["detail"] = .string(detail) }
            if let source = plugin.source { json["source"] = .string(source) }
        } else {
            json["reason"] = .string(error.code.name)
        }
        if error.isOutcomeUnknown { json["outcomeUnknown"] = true }
        if let retryAfter = error.retryAfter { json["retryAfterSec"] = .integer(Int64(retryAfter)) }
        return .object(json)
    }
}

extension HostOperationError.Code {
    fileprivate var name: String {
        switch self {
        case .noProvider: "no-provider"
        case .invalidArgument: "invalid-argument"
        case .notSupported: "not-supported"
        case .permissionDenied: "permission-denied"
        case .unavailable: "unavailable"
        case .busy: "busy"
        case .timeout: "timeout"
        default: "failed"
        }
    }
}

extension HostOperationError {
    /// What a plugin said, as the core takes it.
    init(_ error: PluginError, of plugin: String, isIdempotent: Bool) {
        let code = Self.code(of: error)
        // A message alone rarely says enough to an operator.
        let more = [error.detail, error.source].compactMap(\.self).filter { !$0.isEmpty }
        let message = more.isEmpty ? error.message : "\(error.message) (\(more.joined(separator: "; ")))"
        self.init(
            code,
            message,
            isOutcomeUnknown: code == .timeout && !isIdempotent,
            retryAfter: code == .busy ? 1 : nil
        )
    }

    private static func code(of error: PluginError) -> Code {
        switch error.code {
        case .operationFailed: break
        case .invalidParams: return .invalidArgument
        case .methodNotFound: return .notSupported
        default: return .failed
        }
        switch error.reason {
        case .invalidArgument?: return .invalidArgument
        case .notSupported?: return .notSupported
        case .permissionDenied?: return .permissionDenied
        case .unavailable?: return .unavailable
        case .busy?: return .busy
        case .timeout?: return .timeout
        default: return .failed
        }
    }
}
