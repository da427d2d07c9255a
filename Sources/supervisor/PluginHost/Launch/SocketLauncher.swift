import CLinux
import Glibc
import LinuxSupport

/// Connects to a plugin that a unit with `Accept=yes` starts. The core can close such a plugin, not kill it.
struct SocketLauncher: Sendable {
    enum Outcome: Sendable, Hashable {
        /// The receiver's to close.
        case connected(Int32)
        /// Nothing listens: no file, or one that a masked or stopped socket unit left behind.
        case absent(reason: String, isRefused: Bool)
        case failed(String)
    }

    var path: String

    /// Whether there is a file at the path. Says nothing about who listens.
    var isThere: Bool {
        var status = stat()
        return stat(path, &status) == 0
    }

    /// Does not wait: a unix socket connects at once or not at all (unix(7)).
    func connect() -> Outcome {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return .failed("socket: \(String(cString: strerror(errno)))") }
        guard let address = UnixSocketAddress(path: path) else {
            close(descriptor)
            return .failed("\(path): \(String(cString: strerror(ENAMETOOLONG)))")
        }
        let code = address.connect(descriptor) == 0 ? 0 : errno
        if code == 0 { return .connected(descriptor) }
        close(descriptor)
        return switch code {
        case ENOENT, ENOTDIR: .absent(reason: "\(path) does not exist", isRefused: false)
        case ECONNREFUSED:
            .absent(reason: "nothing listens at \(path): its unit is stopped or masked", isRefused: true)
        case EAGAIN: .failed("\(path): too many connections are waiting to be accepted")
        default: .failed("\(path): \(String(cString: strerror(code)))")
        }
    }
}
