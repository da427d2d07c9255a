/// Text that costs the square of its size where it is compared, hashed or cut as text, and not as bytes.
package enum HostileText {
    /// Combining marks of two classes in the wrong order, about so many bytes: to compare them by canonical equivalence, each
    /// of the second half is sorted past each of the first.
    package static func marks(_ size: Int) -> String {
        String(repeating: "\u{301}", count: size / 4) + String(repeating: "\u{323}", count: size / 4)
    }

    /// As many bytes as keep a comparison as text busy for minutes, and one as bytes for a millisecond.
    package static let size = 1_000_000

    package static var marks: String { marks(size) }

    /// Whether `body` takes less than ten seconds, on a machine that is busy with other things as well.
    package static func isQuick(_ body: () throws -> Void) rethrows -> Bool {
        let begin = ContinuousClock.now
        try body()
        return ContinuousClock.now - begin < .seconds(10)
    }
}
