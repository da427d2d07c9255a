import LinuxSupport
import SupervisorPluginAPI

/// Which members of parameters and results are secret.
extension Redaction {
    private static func isSecret(_ name: String) -> Bool {
        name.isExactly("password") || name.isExactly("login")
    }

    /// The value with every member named `password` or `login`, however deep, replaced.
    static func redacted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(redacted))
        case .object(let object):
            .object(JSONObject(object.map { ($0.name, isSecret($0.name) ? .string(mark) : redacted($0.value)) }))
        default: value
        }
    }

    /// The texts of such members, for `removing(_:from:)`.
    static func secrets(in value: JSONValue) -> [String] {
        switch value {
        case .array(let elements): elements.flatMap(secrets)
        case .object(let object):
            object.flatMap { member in
                isSecret(member.name) ? member.value.stringValue.map { [$0] } ?? [] : secrets(in: member.value)
            }
        default: []
        }
    }
}
