/// What the supervisor remembers of services as long as its process lives.
struct ServiceMemory: Sendable {
    /// Services that were stopped through the API. A restart of the supervisor runs them again.
    private(set) var stoppedByRequest: Set<ServiceKey> = []
    /// Services that were seen to run since the start.
    private(set) var servicesSeenRunning: Set<ServiceKey> = []
    /// The container of a service that the engine failed to start. It stays the first one until one has started.
    private var failedToStart: [ServiceKey: String] = [:]

    mutating func stoppedByRequest(_ key: ServiceKey) {
        stoppedByRequest.insert(key)
    }

    /// Its container was created or removed: what was asked of the one before no longer holds.
    mutating func containerChanged(of key: ServiceKey) {
        stoppedByRequest.remove(key)
    }

    mutating func seenRunning(_ keys: some Sequence<ServiceKey>) {
        servicesSeenRunning.formUnion(keys)
    }

    mutating func started(_ key: ServiceKey) {
        failedToStart[key] = nil
        stoppedByRequest.remove(key)
        servicesSeenRunning.insert(key)
    }

    mutating func failedToStart(_ key: ServiceKey, container: String) {
        if failedToStart[key] == nil { failedToStart[key] = container }
    }

    mutating func forgetFailedStart(of key: ServiceKey) {
        failedToStart[key] = nil
    }

    /// Whether this was the first container of the service that the engine failed to start, and none has started since.
    func hasFailedToStart(_ key: ServiceKey, container: String) -> Bool {
        failedToStart[key] == container
    }
}
