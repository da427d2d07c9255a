import CLinux
import Glibc
import LinuxSupport

/// What exists at a lock path, held by a descriptor: an application may replace it at any time, and what is decided about
/// one entry is done to no other. No link is followed. Everything here may block.
final class LockEntry {
    let status: stat
    private let path: String
    /// Grants nothing, so that opening it waits for no one and has no effect on a device.
    private let descriptor: Int32

    /// nil where nothing exists.
    init?(_ path: String) throws(SystemCallError) {
        let descriptor = clinux_open_any_path(AT_FDCWD, path)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemCallError("open", path)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = SystemCallError("stat", path)
            close(descriptor)
            throw error
        }
        self.status = status
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// The whole of a regular file of this user; nil for anything else, and for one that is longer than `limit` bytes.
    func content(ownedBy user: uid_t, limit: Int) -> [UInt8]? {
        guard status.isRegular, status.st_uid == user, status.st_size <= limit else { return nil }
        // The very file that the descriptor holds, whatever has become of its name.
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let readable = clinux_openat(AT_FDCWD, "/proc/self/fd/\(descriptor)", flags, 0)
        guard readable >= 0 else { return nil }
        defer { close(readable) }
        return try? Descriptor.readAll(readable, path, limit: limit)
    }

    /// Removes the entry, and nothing that has taken its place meanwhile.
    ///
    /// It is renamed to where no container looks, and looked at there. What turns out to be another entry is put back.
    ///
    /// - Parameter prefix: how its name begins until it is gone.
    func remove(by prefix: String) {
        guard let away = Self.placeAside(of: path, prefix), clinux_rename_noreplace(path, away) == 0 else {
            // The directory above is another file system, or is closed to us: what is there now is at least of our user.
            if let there = try? FileSystem.status(path), isSame(there) { unlink(path) }
            return
        }
        if let moved = try? FileSystem.status(away), !isSame(moved) {
            // Where a third entry has come meanwhile, the lock is held all the same.
            if clinux_rename_noreplace(away, path) == 0 { return }
        }
        unlink(away)
    }

    func isSame(_ other: stat) -> Bool { status.st_ino == other.st_ino && status.st_dev == other.st_dev }

    /// A name in the directory that holds the directory of a lock path.
    private static func placeAside(of path: String, _ prefix: String) -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        guard parts.count > 1 else { return nil }
        return parts.joined(separator: "/") + "/" + FileSystem.uniqueName(prefix)
    }
}
