/// When a failed update cycle is tried again: min(2^n x 500 ms, poll interval), with jitter.
struct RetryPolicy: Sendable, Hashable {
    private(set) var failures = 0

    init() {}

    mutating func succeeded() { failures = 0 }

    /// Counts a failure and says how long to wait: between half of the delay and all of it.
    mutating func failed(
        pollInterval: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let exponent = min(failures, 20)
        failures += 1
        let delay = min(Duration.milliseconds(500) * (1 << exponent), pollInterval)
        return delay * Double.random(in: 0.5...1, using: &generator)
    }
}
