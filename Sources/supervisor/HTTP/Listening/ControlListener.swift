import Logging
import NIOCore
import NIOPosix

/// Serves a unix socket of the API: the control socket or the uplink's. On the event loop only.
final class ControlListener {
    private let socket: ControlSocket
    private let channel: any Channel

    /// Makes the control socket and begins to serve it. Throws ControlSocketError where it cannot be made.
    static func open(_ path: String, entryPoint: EntryPoint) async throws -> ControlListener {
        try await ControlListener(ControlSocket(path: path), entryPoint) { entryPoint, channel in
            let peer = try SocketPeer(of: channel)?.description ?? "unknown"
            entryPoint.state.logger.info("control connection", metadata: ["peer": "\(peer)"])
            try entryPoint.admit(channel, listener: path, peer: peer)
        }
    }

    /// Begins to serve `socket`, which is removed again where that fails. `admit` makes the pipeline of a connection.
    init(
        _ socket: ControlSocket,
        _ entryPoint: EntryPoint,
        admit: @escaping @Sendable (EntryPoint, any Channel) throws -> Void
    ) async throws {
        self.socket = socket
        do {
            channel = try await ServerBootstrap(for: entryPoint, admit: admit).withBoundSocket(socket.descriptor).get()
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
