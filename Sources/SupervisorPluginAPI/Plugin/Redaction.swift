/// Keeps secrets out of texts for people, in a plugin and in the core.
package enum Redaction {
    package static let mark = "[redacted]"

    /// The text without `secrets`, compared as UTF-8. Those of less than three bytes would make it unreadable and stay.
    package static func removing(_ secrets: [String], from text: String) -> String {
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
