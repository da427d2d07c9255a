import CLinux
import Logging
import NIOCore
import NIOPosix

/// Serves the control socket. On the event loop only.
final class ControlListener {
    private let socket: ControlSocket
    private let channel: any Channel

    private init(_ socket: ControlSocket, _ channel: any Channel) {
        self.socket = socket
        self.channel = channel
    }

    /// Makes the socket and begins to serve it. Throws ControlSocketError where it cannot be made.
    static func open(_ path: String, entryPoint: EntryPoint) async throws -> ControlListener {
        let socket = try ControlSocket(path: path)
        let bootstrap = ServerBootstrap(for: entryPoint) { entryPoint, channel in
            let peer = try Self.peer(of: channel)
            entryPoint.state.logger.info("control connection", metadata: ["peer": "\(peer)"])
            try entryPoint.admit(channel, listener: path, peer: peer)
        }
        do {
            return ControlListener(socket, try await bootstrap.withBoundSocket(socket.descriptor).get())
        } catch {
            socket.unlink()
            throw error
        }
    }

    func close() {
        socket.unlink()
        channel.close(promise: nil)
    }

    /// Who has connected, as SO_PEERCRED of unix(7) has it.
    private static func peer(of channel: any Channel) throws -> String {
        let operations = channel.pipeline.syncOperations
        let peer = try operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { descriptor in
            var peer = clinux_peer()
            return clinux_peer_credentials(descriptor, &peer) == 0 ? peer : nil
        }
        guard let peer = peer ?? nil else { return "unknown" }
        return "uid \(peer.uid) gid \(peer.gid) pid \(peer.pid)"
    }
}
