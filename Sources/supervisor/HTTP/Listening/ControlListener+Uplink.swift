import Glibc
import Logging
import NIOCore

/// The socket through which the uplink passes on the commands of a remote service.
extension ControlListener {
    /// Makes the uplink's socket and begins to serve it to `user` and root. Throws ControlSocketError where it cannot be
    /// made.
    static func open(_ path: String, user: String, entryPoint: EntryPoint) async throws -> ControlListener {
        let account = account(user)
        let allowed: Set<uid_t> = account.map { [0, $0.uid] } ?? [0]
        let socket = try ControlSocket(path: path, gid: account?.gid)
        return try await ControlListener(socket, entryPoint) { entryPoint, channel in
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
    }

    private static func account(_ name: String) -> (uid: uid_t, gid: gid_t)? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 * 1024)
        let code = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        return code == 0 && found != nil ? (entry.pw_uid, entry.pw_gid) : nil
    }
}
