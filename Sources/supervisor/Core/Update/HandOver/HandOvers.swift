import SupervisorPorts

/// The services of which a successor runs beside its predecessor.
struct HandOvers: Sendable {
    private struct HandOver: Sendable {
        /// When both were first seen to run.
        var since: Duration
        /// Of the directory in which the successor says that it has taken over.
        var watch: WatchToken?
        /// Whether its end was reported.
        var isReported = false
    }

    private var handOvers: [ServiceKey: HandOver] = [:]

    /// When predecessor and successor were first seen to run; nil for a service that is not under way.
    func since(_ key: ServiceKey) -> Duration? { handOvers[key]?.since }

    mutating func begin(_ key: ServiceKey, watch: WatchToken?, at now: Duration) {
        handOvers[key] = HandOver(since: now, watch: watch)
    }

    /// Forgets all other services. Returns their watches, which are to be ended.
    mutating func keep(only keys: Set<ServiceKey>) -> [WatchToken] {
        let gone = handOvers.filter { !keys.contains($0.key) }
        for key in gone.keys { handOvers[key] = nil }
        return gone.values.compactMap(\.watch)
    }

    /// The predecessor may go. Returns whether that has to be reported.
    mutating func end(_ key: ServiceKey) -> Bool {
        guard handOvers[key]?.isReported == false else { return false }
        handOvers[key]?.isReported = true
        return true
    }
}
