import HostOperations
import Logging

/// A file system of its own for the lock directories of each application, so that none fills another's.
extension Supervisor {
    /// Has the storage plugin mount it before the first container of an application starts. While one runs, the mount would
    /// hide its lock directory from us; and without it, the container starts all the same.
    func provideLockSpace(for app: AppID) async {
        let isProvided = parts.host.provides(StorageLockSpace.name)
        guard isProvided || !memory.hasWarnedOfSharedLocks, noneRuns(of: app) else { return }
        let directories = parts.directories
        do {
            guard try await onWorker({ !directories.hasOwnLockSpace(app) }), noneRuns(of: app) else { return }
            guard isProvided else { return warnOfSharedLocks() }
            try await onWorker { try directories.makeRoomForLockSpace(app) }
            _ = try await parts.host.call(StorageLockSpace.self, .init(appID: app.number), requestID: nil)
            guard try await onWorker({ directories.hasOwnLockSpace(app) }) else {
                throw SupervisorError(.failed, "the plugin's mount is not seen here")
            }
        } catch {
            logger.warning(
                "The lock directory of application \(app) shares its space with others: \(error)",
                metadata: ["app-id": "\(app)"]
            )
        }
    }

    /// Once: the cause is the same for every application and every start.
    private func warnOfSharedLocks() {
        memory.hasWarnedOfSharedLocks = true
        logger.warning("The applications share the space for their locks: no plugin provides \(StorageLockSpace.name)")
    }

    private func noneRuns(of app: AppID) -> Bool {
        !instances.contains { $0.key.app == app && $0.state.isAlive }
    }
}
