import LinuxSupport

/// A version of the Docker Engine API, such as 1.41. Minor versions count, they are no decimals: 1.9 < 1.41.
struct EngineAPIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int

    /// The one this client is written for: what Docker 20.10 and podman 4 speak.
    static let preferred = EngineAPIVersion(major: 1, minor: 41)

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Two decimal numbers with a dot between them; nil for anything else.
    init?(_ text: String) {
        let parts = text.parts(separatedBy: UInt8(ascii: "."), maxSplits: 2)
        guard parts.count == 2, parts.allSatisfy(\.utf8.isDecimal),
            let major = Int(parts[0]), let minor = Int(parts[1])
        else { return nil }
        self.init(major: major, minor: minor)
    }

    var description: String { "\(major).\(minor)" }

    static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    /// What to speak with an engine: the preferred version where the engine has it, else the nearest that it has.
    static func agreed(minimum: Self?, maximum: Self) -> Self {
        let version = min(preferred, maximum)
        return max(version, minimum ?? version)
    }
}
