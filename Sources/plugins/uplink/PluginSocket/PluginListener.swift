import Glibc
import LinuxSupport
import NIOCore
import NIOPosix
import SupervisorPluginAPI

/// Where the supervisor connects: the socket that systemd passes (sd_listen_fds(3)), or one of our own for tests.
enum PluginListener {
    /// A listening descriptor.
    static func descriptor(socket path: String?) throws(SystemCallError) -> Int32 {
        guard let path else { return try passed() }
        guard let address = UnixSocketAddress(path: path) else {
            throw SystemCallError("bind", path, code: ENAMETOOLONG)
        }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw SystemCallError("socket", path) }
        unlink(path)
        guard address.bind(descriptor) == 0, chmod(path, 0o660) == 0, listen(descriptor, 16) == 0 else {
            throw SystemCallError("bind", path)
        }
        return descriptor
    }

    private static func passed() throws(SystemCallError) -> Int32 {
        let process = getenv("LISTEN_PID").map { String(cString: $0) }
        let count = getenv("LISTEN_FDS").map { String(cString: $0) }
        guard process == "\(getpid())", count == "1" else {
            throw SystemCallError("no socket was passed; --socket PATH makes one", "", code: EINVAL)
        }
        let descriptor: Int32 = 3
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0,
            fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0
        else { throw SystemCallError("fcntl", "LISTEN_FDS") }
        return descriptor
    }

    /// Accepts connections; each speaks the plugin protocol with its own `PluginConnection`.
    static func serve(_ descriptor: Int32, _ service: PluginService, on loop: any EventLoop) -> EventLoopFuture<
        any Channel
    > {
        let bound = NIOLoopBound(service, eventLoop: loop)
        return ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PluginConnection(bound.value))
                }
            }
            .withBoundSocket(descriptor)
    }
}
