import CLinux
import Glibc
import LinuxSupport

/// One directory whose files are replaced whole: written beside, synced, renamed.
///
/// Everything goes through one descriptor, so a directory that is swapped meanwhile does not matter. Files are readable by
/// their owner and, where this process may give them away, by one group. In a directory with the set-group-ID bit that is
/// the directory's group, without any right to give files away.
struct ReplacedFiles: ~Copyable {
    let path: String
    private let descriptor: Int32
    private let group: gid_t?
    /// Whether new files get the directory's group.
    private let inheritsGroup: Bool

    private static let sizeLimit = 256 << 10

    private init(_ path: String, _ descriptor: Int32, _ group: gid_t?) {
        self.path = path
        self.descriptor = descriptor
        self.group = group
        var status = stat()
        inheritsGroup = fstat(descriptor, &status) == 0 && status.st_mode & S_ISGID != 0
    }

    /// nil where there is no such directory and `creates` is false.
    ///
    /// A directory that is made has the mode 0750, and 0755 those above it.
    static func open(_ path: String, _ group: gid_t?, creates: Bool) throws(SystemCallError) -> ReplacedFiles? {
        var descriptor = clinux_openat(AT_FDCWD, path, Self.directory, 0)
        if descriptor < 0, errno == ENOENT {
            guard creates else { return nil }
            try Self.make(path, group)
            descriptor = clinux_openat(AT_FDCWD, path, Self.directory, 0)
        }
        guard descriptor >= 0 else { throw SystemCallError("open", path) }
        return ReplacedFiles(path, descriptor, group)
    }

    private static let directory = O_RDONLY | O_DIRECTORY | O_CLOEXEC

    private static func make(_ path: String, _ group: gid_t?) throws(SystemCallError) {
        var above = ""
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        for part in parts.dropLast() {
            above += "/\(part)"
            guard mkdir(above, 0o755) == 0 || errno == EEXIST else { throw SystemCallError("make", above) }
        }
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw SystemCallError("make", path) }
        // Best effort, as with files.
        if let group { _ = chown(path, uid_t.max, group) }
    }

    deinit { close(descriptor) }

    func path(of name: String) -> String { "\(path)/\(name)" }

    /// Locks out other processes that do the same until this one closes the directory or ends.
    func tryLock() throws(SystemCallError) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK || errno == EINTR else { throw SystemCallError("lock", path) }
        return false
    }

    // MARK: Reading

    /// nil where there is no such file.
    func read(_ name: String) throws(SystemCallError) -> [UInt8]? {
        let file = clinux_openat(descriptor, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw SystemCallError("read", path(of: name))
        }
        defer { close(file) }
        return try Descriptor.readAll(file, path(of: name), limit: Self.sizeLimit)
    }

    func exists(_ name: String) -> Bool { faccessat(descriptor, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 }

    // MARK: Writing

    /// Writes a new file, in place of one of that name, and syncs it. Leaves none behind that is not whole.
    ///
    /// Not for a file that another process may read meanwhile: `rename` puts it in place.
    func write(_ bytes: [UInt8], as name: String) throws(SystemCallError) {
        try remove(name)
        let file = clinux_openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemCallError("write", path(of: name)) }
        defer { close(file) }
        do throws(SystemCallError) {
            try Descriptor.writeAll(bytes, to: file, path(of: name))
            // Group first: the mode must never open the file to another group.
            let isShared = inheritsGroup || group.map { fchown(file, uid_t.max, $0) == 0 } ?? false
            guard fchmod(file, isShared ? 0o640 : 0o600) == 0 else { throw SystemCallError("write", path(of: name)) }
            guard fsync(file) == 0 else { throw SystemCallError("write", path(of: name)) }
        } catch {
            unlinkat(descriptor, name, 0)
            throw error
        }
    }

    func rename(_ name: String, to other: String) throws(SystemCallError) {
        guard renameat(descriptor, name, descriptor, other) == 0 else {
            throw SystemCallError("replace", path(of: other))
        }
    }

    /// An absent file counts as removed.
    func remove(_ name: String) throws(SystemCallError) {
        guard unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else {
            throw SystemCallError("remove", path(of: name))
        }
    }

    /// Keeps a file under a second name: owner, mode and bytes. A file system without links, such as that of a boot
    /// partition, gets a copy. Does nothing where there is no file.
    func keep(_ name: String, as other: String) throws(SystemCallError) {
        try remove(other)
        if linkat(descriptor, name, descriptor, other, 0) == 0 { return }
        guard let bytes = try read(name) else { return }
        try write(bytes, as: other)
    }

    /// Makes renames and removals outlast a loss of power.
    func sync() throws(SystemCallError) {
        guard fsync(descriptor) == 0 else { throw SystemCallError("sync", path) }
    }
}
