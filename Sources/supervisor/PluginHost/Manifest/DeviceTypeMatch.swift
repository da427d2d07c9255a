import Glibc

/// [Match] DeviceType of a manifest: patterns of fnmatch(3), `!` in front negates.
///
/// A device matches if none of the negated patterns does, and one of the others, if there are any.
struct DeviceTypeMatch: Sendable, Hashable, CustomStringConvertible {
    var patterns: [String]

    init(_ patterns: [String] = []) {
        self.patterns = patterns
    }

    func matches(_ deviceType: String) -> Bool {
        let refused = patterns.filter { $0.hasPrefix("!") }.map { String($0.dropFirst()) }
        let wanted = patterns.filter { !$0.hasPrefix("!") }
        func applies(_ pattern: String) -> Bool { fnmatch(pattern, deviceType, 0) == 0 }
        return !refused.contains(where: applies) && (wanted.isEmpty || wanted.contains(where: applies))
    }

    var description: String { patterns.joined(separator: " ") }
}
