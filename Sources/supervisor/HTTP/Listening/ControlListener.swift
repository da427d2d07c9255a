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
            let peer = try SocketPeer(of: channel)?.description ?? "unknown"
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
}
