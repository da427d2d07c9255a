/// CLOCK_MONOTONIC in milliseconds.
enum Clock {
    static var now: Int64 {
        let time = ContinuousClock.now - start
        return time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000
    }

    private static let start = ContinuousClock.now
}
