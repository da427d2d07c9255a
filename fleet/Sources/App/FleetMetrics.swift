import NIOConcurrencyHelpers

/// What is counted since the start.
final class FleetMetrics: Sendable {
    private let counts = NIOLockedValueBox<[Int: Int64]>([:])

    func count(status: Int) { counts.withLockedValue { $0[status, default: 0] += 1 } }

    var byStatus: [(status: Int, count: Int64)] {
        counts.withLockedValue { counts in counts.sorted { $0.key < $1.key }.map { (status: $0.key, count: $0.value) } }
    }
}
