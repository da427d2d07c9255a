import NIOConcurrencyHelpers
import NIOCore

/// A number of requests a second for each key, with a burst. Holds at most `capacity` keys.
final class RateLimit: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: NIODeadline
    }

    private let perSecond: Double
    private let burst: Double
    private let capacity: Int
    private let buckets: NIOLockedValueBox<[String: Bucket]>

    init(perSecond: Double, burst: Double, capacity: Int = 20_000) {
        self.perSecond = perSecond
        self.burst = burst
        self.capacity = capacity
        buckets = NIOLockedValueBox([:])
    }

    /// Takes one; false where none is left.
    func take(_ key: String, at now: NIODeadline = .now()) -> Bool {
        buckets.withLockedValue { buckets in
            // A key that is forgotten begins with a full bucket: the bound is on memory.
            if buckets.count >= capacity, buckets[key] == nil { buckets.removeAll(keepingCapacity: true) }
            var bucket = buckets[key] ?? Bucket(tokens: burst, at: now)
            let seconds = Double((now - bucket.at).nanoseconds) / 1e9
            bucket.tokens = min(burst, bucket.tokens + seconds * perSecond)
            bucket.at = now
            defer { buckets[key] = bucket }
            guard bucket.tokens >= 1 else { return false }
            bucket.tokens -= 1
            return true
        }
    }
}
