import SupervisorPluginAPI

/// Keeps secrets out of what is shown.
enum Redaction {
    static let mark = "[redacted]"

    private static func isSecret(_ name: String) -> Bool { name == "password" || name == "login" }

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

    /// The text without `secrets`; those of less than three bytes would make it unreadable and stay.
    static func removing(_ secrets: [String], from text: String) -> String {
        var bytes = Array(text.utf8)
        for secret in secrets where secret.utf8.count >= 3 {
            bytes = replacing(Array(secret.utf8), with: Array(mark.utf8), in: bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func replacing(_ needle: [UInt8], with other: [UInt8], in text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index...].starts(with: needle) {
                result += other
                index += needle.count
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }
}
