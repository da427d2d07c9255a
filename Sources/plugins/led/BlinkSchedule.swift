/// When a LED that blinks is on: 200 ms on, 200 ms off, from its beginning. Everything is computed from the beginning,
/// so that the delays of late timers do not add up.
struct BlinkSchedule: Sendable, Hashable {
    static let half: Duration = .milliseconds(200)

    /// After the beginning.
    private(set) var end: Duration

    init(end: Duration) {
        self.end = end
    }

    /// Never makes it end earlier.
    mutating func extend(to end: Duration) {
        self.end = max(self.end, end)
    }

    func isOver(_ time: Duration) -> Bool { time >= end }

    func isOn(_ time: Duration) -> Bool { Self.step(time) % 2 == 0 }

    /// The next change, or the end.
    func next(after time: Duration) -> Duration {
        min(Self.half * (Self.step(time) + 1), end)
    }

    private static func step(_ time: Duration) -> Int { Int(time / half) }
}
