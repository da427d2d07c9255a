import Glibc
import Logging
import NIOCore
import NIOPosix

/// Serves the socket through which the uplink passes on the commands of a remote service. On the event loop only.
final class UplinkListener {
    private let socket: ControlSocket
    private let channel: any Channel

    private init(_ socket: ControlSocket, _ channel: any Channel) {
        self.socket = socket
        self.channel = channel
    }

    /// Makes the socket and begins to serve it. Throws ControlSocketError where it cannot be made.
    static func open(_ path: String, user: String, entryPoint: EntryPoint) async throws -> UplinkListener {
        let account = account(user)
        let socket = try ControlSocket(path: path, gid: account?.gid)
        let allowed: Set<uid_t> = account.map { [0, $0.uid] } ?? [0]
        let bootstrap = ServerBootstrap(for: entryPoint) { entryPoint, channel in
            // The mode of the socket also lets in the user of this process and other members of the group.
            let peer = try SocketPeer(of: channel)
            guard let peer, allowed.contains(peer.uid) else {
                entryPoint.state.logger.warning(
                    "connection to \(path) refused: only root and the user \(user) may use it",
                    metadata: ["peer": "\(peer?.description ?? "unknown")"]
                )
                throw ChannelError.ioOnClosedChannel
            }
            try entryPoint.admit(channel, listener: path, peer: "uplink \(peer)")
        }
        do {
            return UplinkListener(socket, try await bootstrap.withBoundSocket(socket.descriptor).get())
        } catch {
            socket.unlink()
            throw error
        }
    }

    func close() {
        socket.unlink()
        channel.close(promise: nil)
    }

    private static func account(_ name: String) -> (uid: uid_t, gid: gid_t)? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 * 1024)
        let code = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        return code == 0 && found != nil ? (entry.pw_uid, entry.pw_gid) : nil
    }
}
