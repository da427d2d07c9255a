import CLinux
import Glibc
import HostOperations
import LinuxSupport

/// The room in the lock directories: a file system of its own for each application, where the storage plugin can mount one,
/// and otherwise one for all.
extension AppDirectories {
    /// Whether the application's lock directories are a file system of their own.
    func hasOwnLockSpace(_ app: AppID) -> Bool {
        guard let own = try? FileSystem.status(locks(of: app)), let all = try? FileSystem.status(lockDirectory) else {
            return false
        }
        return own.st_dev != all.st_dev
    }

    /// Makes the directory that the application's file system is mounted on, empty: what is in it is renamed away. No
    /// container of the application may run.
    func makeRoomForLockSpace(_ app: AppID) throws(SystemCallError) {
        let path = locks(of: app)
        if try FileSystem.status(path) != nil, rmdir(path) != 0 {
            try FileSystem.rename(path, lockDirectory + "/" + FileSystem.uniqueName(LeftoverPrefix.stale))
        }
        try FileSystem.makeDirectory(path, mode: 0o755)
    }

    /// Whether nothing can be created in the application's lock directories any more, whoever has filled them.
    func isFull(_ app: AppID) -> Bool { Room(locks(of: app))?.isFull ?? false }

    /// Why nothing can be created in the application's lock directories any more: the application has filled them. nil
    /// where something can, and where another application fills the file system that they share.
    ///
    /// What cannot be looked into is put down to those whose it is. Blocks, though hardly ever on a disk.
    ///
    /// - Parameter hasFailed: an attempt to create something has just failed for that.
    func overfullLocks(of app: AppID, hasFailed: Bool = false) -> String? {
        guard let room = Room(locks(of: app)), room.isFull || hasFailed else { return nil }
        let isOwn = hasOwnLockSpace(app)
        guard isOwn || isLargest(app, in: room) else { return nil }
        let what = room.isOutOfFiles ? "files" : "data"
        return "application \(app) has filled its lock directory with \(what), so that no lock can be taken; "
            + "delete what it does not need in /tmp/balena, or use force"
    }

    /// Whether the application takes the most of a file system that all share.
    private func isLargest(_ app: AppID, in room: Room) -> Bool {
        var usage: [AppID: LockUsage] = [:]
        for name in (try? FileSystem.entries(lockDirectory)) ?? [] {
            guard let app = AppID(digits: name) else { continue }
            usage[app] = LockUsage(of: locks(of: app))
        }
        let hidden = max(room.used - usage.values.reduce(0) { $0 + $1.bytes }, 0)
        func total(_ usage: LockUsage) -> Int { usage.bytes + (usage.isPartlyClosed ? hidden : 0) }
        guard let own = usage[app].map(total) else { return false }
        return usage.values.allSatisfy { total($0) <= own }
    }

    /// How full a file system is.
    private struct Room {
        /// In bytes, with an entry counted as `LockUsage` does.
        var used: Int
        var isOutOfFiles: Bool
        var isFull: Bool

        private static let fewestFiles: fsfilcnt_t = 8
        private static let fewestBlocks: fsblkcnt_t = 2

        init?(_ path: String) {
            var status = statvfs()
            guard statvfs(path, &status) == 0 else { return nil }
            // A file system without a limit on files says that it has none. A few are left over where a directory has
            // just been replaced: taking a lock needs more.
            isOutOfFiles = status.f_files > 0 && status.f_favail < Self.fewestFiles
            isFull = isOutOfFiles || status.f_blocks > 0 && status.f_bavail < Self.fewestBlocks
            let blocks = Int(clamping: status.f_blocks &- status.f_bfree) * Int(clamping: status.f_frsize)
            used = blocks + Int(clamping: status.f_files &- status.f_ffree) * LockUsage.entry
        }
    }
}
