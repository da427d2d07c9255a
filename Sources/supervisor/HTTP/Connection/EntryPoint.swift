import Logging
import NIOCore
import NIOHTTP1

/// A way in: the network or the control socket. Knows what it serves, to whom, and the open connections.
final class EntryPoint {
    let state: ServerState
    let routes: RouteTable
    /// Every client that can connect may do everything.
    private let isTrusted: Bool
    var maxConnections: Int
    private var connections: [ObjectIdentifier: Connection] = [:]
    /// How many of them come from each address.
    private var counts: [String: Int] = [:]
    private var whenEmpty: (() -> Void)?

    init(state: ServerState, routes: RouteTable, isTrusted: Bool, maxConnections: Int) {
        self.state = state
        self.routes = routes
        self.isTrusted = isTrusted
        self.maxConnections = maxConnections
    }

    var connectionCount: Int { connections.count }

    /// Whether a route of this access needs no key here.
    func isOpen(_ access: Route.Access) -> Bool {
        switch access {
        case .key: isTrusted
        case .ping: isTrusted || !state.pingRequiresKey
        case .open: true
        }
    }

    /// Makes the pipeline of a new connection. Throws where there is no room for it.
    func admit(_ channel: any Channel, listener: String, peer: String? = nil) throws {
        guard !state.isDraining else { throw ChannelError.ioOnClosedChannel }
        if connections.count >= maxConnections {
            guard let expendable = expendable() else {
                state.logger.warning("connection refused: all \(maxConnections) are busy")
                throw ChannelError.ioOnClosedChannel
            }
            state.logger.debug("connection closed to make room for a new one")
            expendable.close()
        }
        let origin = channel.remoteAddress?.ipAddress ?? ""
        let connection = Connection(entryPoint: self, listener: listener, origin: origin, peer: peer)
        connections[ObjectIdentifier(connection)] = connection
        counts[origin, default: 0] += 1
        do {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = state.limits.headerSize
            limits.maxHeaderListSize = state.limits.headerSize
            limits.maxHeaderFieldCount = state.limits.headerFields
            let decoder = HTTPRequestDecoder(limitConfiguration: limits)
            let gate = InputGate(connection, state.turns)
            connection.gate = gate
            try channel.pipeline.syncOperations.addHandlers([gate, ByteToMessageHandler(decoder), connection])
        } catch {
            left(connection)
            throw error
        }
    }

    func left(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        let count = (counts[connection.origin] ?? 0) - 1
        counts[connection.origin] = count > 0 ? count : nil
        guard connections.isEmpty, let whenEmpty else { return }
        self.whenEmpty = nil
        whenEmpty()
    }

    /// Lets every connection, or every one of a listener, end with the request that it is at.
    func finishAll(of listener: String? = nil) {
        for connection in connections.values where listener == nil || connection.listener == listener {
            connection.finish()
        }
    }

    func closeAll() {
        for connection in connections.values { connection.close() }
    }

    /// Calls `body` when no connection is left, at once if there is none.
    func whenEmpty(_ body: @escaping () -> Void) {
        if connections.isEmpty { body() } else { whenEmpty = body }
    }

    /// The connection that goes in favour of a new one: by its standing; then the one from the address that has most
    /// connections; then the oldest of those that are idle, or any of those that are in a request, for a crowd that
    /// begins one after another would otherwise always get rid of the slow client first. nil where none may go.
    private func expendable() -> Connection? {
        var choice: (connection: Connection, standing: ConnectionStanding, crowd: Int)?
        var equals = 0
        for connection in connections.values {
            guard let standing = connection.standing else { continue }
            let crowd = counts[connection.origin] ?? 0
            if let former = choice {
                if (former.standing.rawValue, -former.crowd) < (standing.rawValue, -crowd) { continue }
                if (former.standing, former.crowd) == (standing, crowd) {
                    equals += 1
                    let isBetter =
                        standing != .idle && standing != .known
                        ? Int.random(in: 0...equals) == 0 : connection.idleSince < former.connection.idleSince
                    if !isBetter { continue }
                } else {
                    equals = 0
                }
            }
            choice = (connection, standing, crowd)
        }
        return choice?.connection
    }
}
