import TestSupport

/// Time that stands still until a test moves it, in the form of Swift's own clocks.
final class LEDClock: Clock {
    typealias Instant = ContinuousClock.Instant
    typealias Duration = Swift.Duration

    private let clock = ManualClock()
    /// The beginning of the clock's time.
    private let origin = ContinuousClock.now

    var now: Instant { origin.advanced(by: clock.now) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try await clock.sleep(until: origin.duration(to: deadline))
    }

    /// Waits until somebody sleeps, then moves on.
    func advance(by duration: Duration) async {
        await settle()
        clock.move(to: clock.now + duration)
    }

    /// Returns when somebody sleeps, or five seconds later.
    func settle() async {
        for _ in 0..<5000 where clock.nextAlarm == nil {
            try? await Task.sleep(for: .milliseconds(1))
        }
    }
}
