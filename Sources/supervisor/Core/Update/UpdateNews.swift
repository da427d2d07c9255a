/// What was published of updates last, so that each thing is published once until it changes.
struct UpdateNews: Sendable {
    /// Why an update waits for a lock.
    private(set) var blockedReason: String?
    /// Whether the device was found to differ from its target, and no end of that was published.
    private var isOpen = false
    /// Why the update failed.
    private var failure: String?
    private var lastDownloadProgress: Duration?

    /// How far a download is, at most once a second.
    mutating func downloadProgress(
        _ key: ServiceKey,
        image: String,
        _ percentage: Double,
        at now: Duration
    ) -> [DeviceEvent] {
        if let lastDownloadProgress, now - lastDownloadProgress < .seconds(1) { return [] }
        lastDownloadProgress = now
        return [.downloadProgress(key, image: image, percentage)]
    }

    /// - Parameter reason: which update lock is in the way; nil where none is.
    mutating func blocked(by reason: String?) -> [DeviceEvent] {
        guard reason != blockedReason else { return [] }
        blockedReason = reason
        return [reason.map(DeviceEvent.updateBlocked) ?? .updateUnblocked]
    }

    /// - Parameter isPending: whether the device differs from its target.
    mutating func planned(isPending: Bool) {
        isOpen = isOpen || isPending
    }

    /// How an update cycle has ended; nothing where there was nothing to do.
    ///
    /// - Parameters:
    ///   - isPending: whether something is still to come.
    ///   - isRolledBack: whether a part of the target is not in effect, because its release failed or its definition is
    ///     wrong, which was published before.
    mutating func succeeded(isPending: Bool, isRolledBack: Bool) -> [DeviceEvent] {
        var events = blocked(by: nil)
        failure = nil
        guard !isPending else { return events }
        if isOpen, !isRolledBack { events.append(.updateSucceeded) }
        isOpen = false
        return events
    }

    mutating func failed(_ error: SupervisorError) -> [DeviceEvent] {
        if error.code == .locked { return blocked(by: error.message) }
        isOpen = true
        guard error.message != failure else { return [] }
        failure = error.message
        return [.updateFailed(error.message)]
    }
}
