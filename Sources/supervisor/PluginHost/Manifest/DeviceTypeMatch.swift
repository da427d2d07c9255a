import Glibc
import LinuxSupport

/// [Match] DeviceType of a manifest: patterns of fnmatch(3), `!` in front negates.
///
/// A device matches if none of the negated patterns does, and one of the others, if there are any.
struct DeviceTypeMatch: Sendable, Hashable, CustomStringConvertible {
    var patterns: [String]

    init(_ patterns: [String] = []) {
        self.patterns = patterns
    }

    func matches(_ deviceType: String) -> Bool {
        let refused = patterns.filter { $0.begins(with: "!") }.map { String(Substring($0.utf8.dropFirst())) }
        let wanted = patterns.filter { !$0.begins(with: "!") }
        func applies(_ pattern: String) -> Bool { fnmatch(pattern, deviceType, 0) == 0 }
        return !refused.contains(where: applies) && (wanted.isEmpty || wanted.contains(where: applies))
    }

    var description: String { patterns.joined(separator: " ") }
}
