import CLinux
import NIOCore
import NIOPosix

/// Who has connected to a unix socket, as SO_PEERCRED of unix(7) has it.
struct SocketPeer: CustomStringConvertible {
    let uid: UInt32
    let gid: UInt32
    let pid: Int32

    /// nil where the kernel does not say.
    init?(of channel: any Channel) throws {
        let operations = channel.pipeline.syncOperations
        let peer = try operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { descriptor in
            var peer = clinux_peer()
            return clinux_peer_credentials(descriptor, &peer) == 0 ? peer : nil
        }
        guard let peer = peer ?? nil else { return nil }
        uid = UInt32(peer.uid)
        gid = UInt32(peer.gid)
        pid = Int32(peer.pid)
    }

    var description: String { "uid \(uid) gid \(gid) pid \(pid)" }
}
