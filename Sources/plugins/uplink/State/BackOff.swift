/// How long to wait after the nth failure in a row: min(limit, first x 2^n), half of it random, and not less than the
/// service has asked for.
struct BackOff: Sendable {
    var first: Duration
    var limit: Duration
    private var failures = 0

    init(first: Duration, limit: Duration) {
        self.first = first
        self.limit = limit
    }

    mutating func succeeded() { failures = 0 }

    /// Counts a failure, and returns how long to wait.
    mutating func failed(retryAfter: Int64? = nil) -> Duration {
        var delay = first
        for _ in 0..<failures where delay < limit { delay = delay * 2 }
        delay = min(delay, limit)
        failures = min(failures + 1, 30)
        let jittered = delay / 2 + delay * Double.random(in: 0...0.5)
        guard let retryAfter else { return jittered }
        return max(jittered, .seconds(min(retryAfter, 86_400)))
    }
}
