import CLinux
import Glibc
import LinuxSupport

/// A unix socket of the API, the control interface's or the uplink's: created so that only its group can ever reach it, and removed again.
struct ControlSocket {
    let path: String
    /// Listening; the caller that takes the socket closes it.
    let descriptor: CInt
    /// Distinguishes our socket from one that another process put in its place.
    private let identity: Identity

    /// The time of the last change is part of it, because the number of a removed file is soon given to another.
    private struct Identity: Equatable {
        var device: dev_t
        var inode: ino_t
        var changedSeconds: Int
        var changedNanoseconds: Int

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            device = status.st_dev
            inode = status.st_ino
            changedSeconds = status.st_ctim.tv_sec
            changedNanoseconds = status.st_ctim.tv_nsec
        }
    }

    /// As the other one, with the group of that name.
    init(path: String, group: String = "device-supervisor") throws(ControlSocketError) {
        try self.init(path: path, gid: Self.id(ofGroup: group))
    }

    /// Makes the socket with mode 0660, group `gid` where there is one and we may.
    ///
    /// A file that a killed supervisor left behind is replaced. Throws if a process is listening there, and if the file
    /// is no socket.
    init(path: String, gid: gid_t?) throws(ControlSocketError) {
        try Self.removeStale(path)
        let address = try Self.address(path)
        let descriptor = try Self.makeDescriptor()
        // No one can connect before listen(2), so the mode is in effect from the first moment.
        guard address.bind(descriptor) == 0, chmod(path, 0o660) == 0 else {
            throw Self.failure("cannot be created", closing: descriptor, path: path)
        }
        // Without that group, or without the right to give files to it, the socket is its owner's.
        if let gid { _ = lchown(path, uid_t.max, gid) }
        guard listen(descriptor, 128) == 0, let identity = Identity(path) else {
            throw Self.failure("cannot be listened on", closing: descriptor, path: path)
        }
        self.path = path
        self.descriptor = descriptor
        self.identity = identity
    }

    /// Removes the file, unless another process has put its own there.
    func unlink() {
        guard Identity(path) == identity else { return }
        _ = Glibc.unlink(path)
    }

    private static func removeStale(_ path: String) throws(ControlSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ControlSocketError(description: "\(path) exists and is not a socket")
        }
        let address = try address(path)
        let probe = try makeDescriptor()
        let connected = address.connect(probe)
        let code = errno
        _ = Glibc.close(probe)
        // Anything but a refusal means that a process listens: EAGAIN that the queue is full, EACCES that it is not
        // ours.
        guard connected != 0, code == ECONNREFUSED || code == ENOENT else {
            throw ControlSocketError(description: "\(path) is served by another process")
        }
        _ = Glibc.unlink(path)
    }

    private static func makeDescriptor() throws(ControlSocketError) -> CInt {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else {
            throw ControlSocketError(description: "no unix socket: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    private static func address(_ path: String) throws(ControlSocketError) -> UnixSocketAddress {
        guard let address = UnixSocketAddress(path: path) else {
            throw ControlSocketError(description: "\(path) is too long for a unix socket")
        }
        return address
    }

    private static func failure(_ what: String, closing descriptor: CInt, path: String) -> ControlSocketError {
        let reason = String(cString: strerror(errno))
        _ = Glibc.close(descriptor)
        return ControlSocketError(description: "\(path) \(what): \(reason)")
    }

    private static func id(ofGroup name: String) -> gid_t? {
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 16 * 1024)
        let code = getgrnam_r(name, &entry, &buffer, buffer.count, &found)
        return code == 0 && found != nil ? entry.gr_gid : nil
    }
}
