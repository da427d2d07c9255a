import CLinux
import Glibc
import HostOperations
import LinuxSupport

/// The directories of applications on the host: /data of each, and the lock directory of each service.
///
/// `DATA/<appId>/` is bound to /data, `LOCKS/<appId>/<service>/` to /tmp/balena and /tmp/resin. What is renamed away
/// stays beside it as `.purge-…` or `.stale-…` until it is reaped. Everything here may block.
public struct AppDirectories: Sendable, Hashable {
    public var dataDirectory: String
    public var lockDirectory: String

    /// Any user of a container may write to /data.
    static let dataMode: mode_t = 0o777
    /// Like /tmp: everyone may create a lock, only its owner (and we) may remove it.
    static let lockMode: mode_t = 0o1777

    public init(dataDirectory: String, lockDirectory: String) {
        self.dataDirectory = dataDirectory
        self.lockDirectory = lockDirectory
    }

    func data(of app: AppID) -> String { "\(dataDirectory)/\(app)" }
    func locks(of app: AppID) -> String { "\(lockDirectory)/\(app)" }
    func locks(of key: ServiceKey) -> String { "\(lockDirectory)/\(key.app)/\(key.service)" }

    /// Makes the two directories that hold all others.
    func prepare() throws(SystemCallError) {
        try FileSystem.makeDirectories(dataDirectory, mode: 0o755)
        try FileSystem.makeDirectories(lockDirectory, mode: 0o755)
    }

    /// Makes what a container of the service binds, with the right owner and mode. Must not be called while a container
    /// of the service runs: whatever lies in its lock directory goes, and with it every lock.
    ///
    /// Returns where the former lock directory is now, if it had to be moved away.
    @discardableResult
    func prepareForStart(of key: ServiceKey, othersRun: Bool) throws(SystemCallError) -> String? {
        try prepareData(of: key.app)
        try prepareLocks(of: key.app)
        var former: String?
        if try !isPristine(locks(of: key)) { former = try swapLocks(of: key) }
        if !othersRun { removeDataLock(of: key.app) }
        return former
    }

    /// Puts back the lock directory of a container that was started by others while `prepareForStart` moved it away.
    func restoreLocks(of key: ServiceKey, from former: String) throws(SystemCallError) {
        try swapLocks(of: key, for: former)
    }

    /// Creates the service's lock directory if it is missing, or replaces an empty one of another user. One of ours
    /// keeps its contents.
    func ensure(_ key: ServiceKey) throws(SystemCallError) {
        try prepareData(of: key.app)
        try prepareLocks(of: key.app)
        let path = locks(of: key)
        guard let status = try FileSystem.status(path) else {
            try makeLocks(path)
            return makeSpare(of: key)
        }
        if !status.isDirectory {
            try swapLocks(of: key)
            return
        }
        if status.st_uid != geteuid() {
            // An application that runs may have taken the directory for itself: with something in it, or closed to us, it
            // is a lock. An empty one is the engine's doing, or an operator's.
            if (try? FileSystem.entries(path))?.isEmpty == true { try swapLocks(of: key) }
            return
        }
        if status.permissions != Self.lockMode, chmod(path, Self.lockMode) != 0 { throw SystemCallError("chmod", path) }
        makeSpare(of: key)
    }

    private func prepareData(of app: AppID) throws(SystemCallError) {
        let path = data(of: app)
        guard let status = try FileSystem.status(path) else {
            return try FileSystem.makeDirectory(path, mode: Self.dataMode)
        }
        // An application may have given its /data another owner or mode, which is its own affair. One that root made
        // and that holds nothing is the engine's doing.
        if status.isDirectory, status.st_uid != geteuid(), status.st_uid == 0, rmdir(path) == 0 {
            try FileSystem.makeDirectory(path, mode: Self.dataMode)
        }
    }

    /// The parent of an application's lock directories, which has to be ours: in a directory of another user nothing
    /// can be renamed.
    private func prepareLocks(of app: AppID) throws(SystemCallError) {
        let path = locks(of: app)
        if let status = try FileSystem.status(path), !status.isDirectory || status.st_uid != geteuid() {
            try FileSystem.rename(path, lockDirectory + "/" + FileSystem.uniqueName(LeftoverPrefix.stale))
        }
        try FileSystem.makeDirectory(path, mode: 0o755)
    }

    private func isPristine(_ path: String) throws(SystemCallError) -> Bool {
        guard let status = try FileSystem.status(path), status.isDirectory, status.st_uid == geteuid(),
            status.permissions == Self.lockMode
        else { return false }
        return try FileSystem.entries(path).isEmpty
    }

    /// Replaces the lock directory of a service whose container does not run by a new one. Works whatever an application
    /// did to the old one, since only the directory above it has to be ours.
    ///
    /// - Parameter replacement: the directory to put there instead of a new one.
    /// - Returns: where the old one is now; nil where there was none.
    @discardableResult
    func swapLocks(of key: ServiceKey, for replacement: String? = nil) throws(SystemCallError) -> String? {
        let path = locks(of: key)
        try prepareLocks(of: key.app)
        let away = locks(of: key.app) + "/" + FileSystem.uniqueName(LeftoverPrefix.stale)
        let isThere = try FileSystem.status(path) != nil
        if isThere { try FileSystem.rename(path, away) }
        if let replacement {
            try FileSystem.rename(replacement, path)
        } else {
            try makeLocksWhereverThereIsRoom(key, insteadOf: isThere ? away : nil)
        }
        return isThere ? away : nil
    }

    /// - Parameter former: goes where that makes room.
    private func makeLocksWhereverThereIsRoom(
        _ key: ServiceKey,
        insteadOf former: String?
    ) throws(SystemCallError) {
        let path = locks(of: key)
        do throws(SystemCallError) {
            try makeLocks(path)
        } catch {
            // Full: of what an application has left in its lock directory, as a rule.
            guard error.code == ENOSPC || error.code == EDQUOT else { throw error }
            if Glibc.rename(spare(of: key), path) != 0 {
                var reaper = Reaper(limit: 10_000)
                if let former { reaper.remove(former) }
                try makeLocks(path)
            }
        }
        makeSpare(of: key)
    }

    private func makeLocks(_ path: String) throws(SystemCallError) {
        try FileSystem.makeDirectory(path, mode: Self.lockMode)
    }

    /// An empty directory that takes the place of the service's lock directory where there is no room for a new one.
    private func spare(of key: ServiceKey) -> String { "\(locks(of: key.app))/\(Self.sparePrefix)\(key.service)" }

    static let sparePrefix = ".spare-"

    /// As far as that is possible now; the next change tries again.
    private func makeSpare(of key: ServiceKey) { try? makeLocks(spare(of: key)) }

    /// Takes away a lock in /data after the stop of its application. Where an application has made its /data
    /// inaccessible, the lock stays.
    func removeDataLock(of app: AppID) {
        let path = data(of: app) + "/" + UpdateLockFiles.oldName
        if unlink(path) == 0 || errno == ENOENT { return }
        if rmdir(path) == 0 { return }
        let away = FileSystem.uniqueName(LeftoverPrefix.stale)
        // A directory of another owner can be renamed only within the directory that it is in.
        if Glibc.rename(path, dataDirectory + "/" + away) != 0 { _ = Glibc.rename(path, data(of: app) + "/" + away) }
    }

    // MARK: Handing over

    /// Names in a service's lock directory by which a new container says that the old one may go.
    static let handOverNames = ["handover-complete", "resin-kill-me"]

    /// Whether something exists at one of them. One that we may not look at does not.
    func hasHandedOver(_ key: ServiceKey) -> Bool {
        Self.handOverNames.contains { name in
            ((try? FileSystem.status("\(locks(of: key))/\(name)")) ?? nil) != nil
        }
    }

    /// Takes away what is there, whatever it is.
    func clearHandOver(of key: ServiceKey) throws(SystemCallError) {
        for name in Self.handOverNames {
            let path = "\(locks(of: key))/\(name)"
            if unlink(path) == 0 || errno == ENOENT || rmdir(path) == 0 { continue }
            try FileSystem.rename(path, locks(of: key.app) + "/" + FileSystem.uniqueName(LeftoverPrefix.stale))
        }
    }

    /// Renames the application's /data away and recreates it. Its containers must not run.
    func purge(_ app: AppID) throws(SystemCallError) {
        let path = data(of: app)
        let away = dataDirectory + "/" + FileSystem.uniqueName(LeftoverPrefix.purged)
        let there = try FileSystem.status(path) != nil
        if there { try FileSystem.rename(path, away) }
        do throws(SystemCallError) {
            try FileSystem.makeDirectory(path, mode: Self.dataMode)
        } catch {
            // A full disk must not cost the application its data.
            if there { _ = Glibc.rename(away, path) }
            throw error
        }
        try FileSystem.synchronize(directory: dataDirectory)
    }

    /// Everything that was renamed away and still waits to be removed.
    func leftovers() -> [String] {
        var found: [String] = []
        func collect(_ directory: String) {
            for name in (try? FileSystem.entries(directory)) ?? []
            where name.hasPrefix(LeftoverPrefix.purged) || name.hasPrefix(LeftoverPrefix.stale) {
                found.append(directory + "/" + name)
            }
        }
        collect(dataDirectory)
        collect(lockDirectory)
        for name in (try? FileSystem.entries(lockDirectory)) ?? [] where AppID(digits: name) != nil {
            collect(lockDirectory + "/" + name)
        }
        return found
    }
}
