import Glibc

/// The service that mounts file systems for the lock directories of applications, for those who may not mount: one line
/// with the id of an application in, one line back, `ok` or what is wrong. Each connection is for one request.
package struct LockSpaceService {
    /// Of the unit device-supervisor-lock-space.socket, which serves only this lock directory.
    package static let standardPath = "/run/supervisor-plugins/lock-space.sock"
    package static let lockDirectory = "/run/device-supervisor-locks"

    /// How long each step may take: connecting, and the answer.
    private static let patience = timeval(tv_sec: 5, tv_usec: 0)

    private let path: String

    package init(path: String = standardPath) {
        self.path = path
    }

    /// Whether there is such a service, which may still fail.
    package var isThere: Bool { access(path, F_OK) == 0 }

    /// Asks for the file system of one application. Blocks. Returns nil once it is mounted, otherwise what is wrong.
    package func request(_ app: String) -> String? {
        do throws(SystemCallError) {
            let answer = try exchange(Array("\(app)\n".utf8))
            if answer == Array("ok\n".utf8) { return nil }
            let text = String(decoding: answer.filter { $0 >= 0x20 && $0 < 0x7F }, as: UTF8.self)
            return text.isEmpty ? "no answer from \(path)" : text
        } catch {
            return error.description
        }
    }

    private func exchange(_ request: [UInt8]) throws(SystemCallError) -> [UInt8] {
        guard let address = UnixSocketAddress(path: path) else {
            throw SystemCallError("connect", path, code: ENAMETOOLONG)
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemCallError("socket", path) }
        defer { close(descriptor) }
        var patience = Self.patience
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard address.connect(descriptor) == 0 else { throw SystemCallError("connect", path) }
        try Descriptor.writeAll(request, to: descriptor, path, patience: 5000)
        return try Descriptor.readStart(descriptor, path, limit: 4096)
    }
}
