import LinuxSupport

/// Where a target state is wrong.
struct TargetError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Line and column, or the path of the member, such as "apps.2167.services.1.image".
    var place: String
    var reason: String

    /// Both are cut to a bearable size: they quote what was written.
    init(place: String, reason: String) {
        self.place = place.shortened(to: 500)
        self.reason = reason.shortened(to: 400)
    }

    var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}

extension String {
    /// The text, or where it has more than `limit` bytes its beginning, cut between scalars, and "…".
    func shortened(to limit: Int) -> String {
        utf8.count > limit ? cut(toBytes: limit) + "…" : self
    }

    /// Whether it is made of some ASCII characters at most, as words are that we know. Others are compared with none: String
    /// compares by canonical equivalence, which takes time that grows with the square of a run of combining marks.
    var isKeyword: Bool { utf8.count <= 64 && utf8.allSatisfy { $0 < 0x80 } }

    var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }

    /// Cut at a byte, with what is empty between two of them.
    func parts(at separator: Unicode.Scalar, most count: Int = .max) -> [String] {
        utf8.split(separator: UInt8(ascii: separator), maxSplits: count - 1, omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
    }
}
