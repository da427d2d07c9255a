import CLinux
import Glibc
import LinuxSupport
import SupervisorCore

/// What lives in /run while this boot lasts: the sockets for superctl and for the uplink, the token of our update locks, and the mark of the one
/// supervisor that may run.
struct RuntimeDirectory {
    let path: String

    var controlSocket: String { path + "/control.sock" }
    var uplinkSocket: String { path + "/api.sock" }

    init(_ path: String) throws(SystemCallError) {
        self.path = path
        if mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemCallError("mkdir", path) }
    }

    /// The token by which this supervisor knows the locks of those before it: 32 hex digits, made once a boot.
    func lockToken() throws(SystemCallError) -> String {
        let file = path + "/lock-token"
        let kept = Host.text(of: file)
        if kept.utf8.count == 32, kept.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) { return kept }
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        let token = (0..<32).map { _ in digits[Int.random(in: 0..<16, using: &generator)] }
        let temporary = file + ".new"
        unlink(temporary)
        let descriptor = clinux_openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemCallError("create", temporary) }
        defer { close(descriptor) }
        try Descriptor.writeAll(token, to: descriptor, file)
        try FileSystem.rename(temporary, file)
        return String(decoding: token, as: UTF8.self)
    }

    /// Makes sure that no second supervisor uses the same state. The lock lasts as long as the process.
    ///
    /// Returns false where another one runs.
    static func becomeTheOnlyOne(in stateDirectory: String) throws(SystemCallError) -> Bool {
        let file = stateDirectory + "/supervisor.lock"
        let descriptor = clinux_openat(AT_FDCWD, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemCallError("open", file) }
        if clinux_lock_whole_file(descriptor) == 0 { return true }
        close(descriptor)
        guard errno == EAGAIN || errno == EACCES else { throw SystemCallError("fcntl", file) }
        return false
    }
}
