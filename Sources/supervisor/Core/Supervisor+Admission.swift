import LinuxSupport

/// Whether a change of the device may begin: what is asked first wherever one is about to.
extension Supervisor {
    /// Throws while the core stops, and while a reboot or power-off is under way.
    func admitChange() throws(SupervisorError) {
        try refuseWhileStopping()
        try refuseWhileFrozen()
    }

    /// Throws while the core stops.
    func refuseWhileStopping() throws(SupervisorError) {
        if isStopping { throw .stopping }
    }

    /// Throws while a reboot or power-off is under way: nothing may change then.
    func refuseWhileFrozen() throws(SupervisorError) {
        guard let state = power.state else { return }
        throw SupervisorError(.busy, "A \(state.kind.apiText) is under way", retryAfter: 15)
    }

    /// Throws `unavailable` where the disk does not answer. For what is about to change something: it would be done when the
    /// disk is back, long after the caller has stopped waiting for it.
    func requireDisk(within patience: Duration = DiskWatch.patience) async throws(SupervisorError) {
        let directories = [parts.store.directory, parts.directories.dataDirectory]
        try await readDisk(within: patience) {
            for directory in directories { _ = try? FileSystem.status(directory + "/.") }
        }
    }
}

extension SupervisorError {
    static let stopping = SupervisorError(.unavailable, "The supervisor is stopping")
}
