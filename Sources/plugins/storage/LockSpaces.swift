import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// The file systems for the lock directories of applications: a small tmpfs(5) for each, mounted on `LOCKS/<appId>`.
///
/// The core makes the directory; it may mount nothing. A process in a mount namespace of its own, as a hardened unit has
/// one, could mount only for itself: it leaves mounting to LockSpaceService, which is this program with `--lock-space`.
struct LockSpaces: Sendable {
    /// A lock is an empty file or a short one. The file system is in memory, which it takes only for what is in it.
    static let size = "1m"
    /// An empty file takes no block, but memory of the kernel.
    static let inodes = 1024

    var lockDirectory: String

    /// Mounts the file system of one application, where that has not been done yet. May block.
    func provide(_ app: Int64) throws(SystemCallError) {
        let root = try OpenDirectory(path: lockDirectory)
        var owner = stat()
        guard fstat(root.descriptor, &owner) == 0 else { throw SystemCallError("stat", lockDirectory) }
        let name = FileName(String(app))
        let path = "\(lockDirectory)/\(app)"
        let directory: OpenDirectory
        do throws(SystemCallError) {
            directory = try OpenDirectory(name, in: root)
        } catch {
            // Something is mounted there: the work is done.
            if error.code == EXDEV { return }
            throw SystemCallError(error.call, path, code: error.code)
        }
        var status = stat()
        guard fstat(directory.descriptor, &status) == 0 else { throw SystemCallError("stat", path) }
        guard status.st_uid == owner.st_uid else { throw SystemCallError("mount on", path, code: EPERM) }
        // A mount would hide what is in it, and a container may hold it.
        guard directory.next() == nil else { throw SystemCallError("mount on", path, code: ENOTEMPTY) }
        let options = "size=\(Self.size),nr_inodes=\(Self.inodes),mode=0755,uid=\(owner.st_uid),gid=\(owner.st_gid)"
        // By descriptor: what has been looked at is what is mounted on.
        let flags = UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC)
        guard mount("tmpfs", "/proc/self/fd/\(directory.descriptor)", "tmpfs", flags, options) == 0 else {
            throw SystemCallError("mount on", path, code: errno)
        }
    }

    /// Does it for the plugin, which may have to leave it to the service.
    func provide(_ app: Int64, orBy service: LockSpaceService?) throws(PluginError) {
        do throws(SystemCallError) {
            try provide(app)
        } catch {
            // In a mount namespace of its own the process lacks the capability as well.
            guard error.code == EPERM || error.code == EACCES, let service, service.isThere else {
                throw Self.error(error)
            }
            if let fault = service.request(String(app)) { throw PluginError(.failed, fault) }
        }
    }

    private static func error(_ error: SystemCallError) -> PluginError {
        switch error.code {
        case EPERM, EACCES: PluginError(.permissionDenied, error.description)
        case ENOTEMPTY: PluginError(.busy, error.description)
        default: PluginError(.failed, error.description)
        }
    }

    // MARK: As the service

    /// Answers one request on standard input and output. Returns the exit status.
    func serve() -> Int32 {
        let request = (try? Descriptor.readOnce(STDIN_FILENO, "the request", upTo: 64)) ?? []
        let digits = request.dropLast()
        var answer = "not a line with the id of an application\n"
        if request.last == 0x0A, digits.isDecimal, digits.first != 0x30,
            let app = Int64(String(decoding: digits, as: UTF8.self))
        {
            do throws(SystemCallError) {
                try provide(app)
                answer = "ok\n"
            } catch {
                answer = "\(error)\n"
                PluginLog.warning("\(error)")
            }
        }
        try? Descriptor.writeAll(Array(answer.utf8), to: STDOUT_FILENO, "the answer", patience: 1000)
        return answer == "ok\n" ? 0 : 1
    }
}
