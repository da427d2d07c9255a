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
    /// Idle connections, the oldest last; see `oldestIdle()`.
    private var idleOrder: [(id: ObjectIdentifier, idleSince: NIODeadline)] = []
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
            guard let oldest = oldestIdle() else {
                state.logger.warning("connection refused: all \(maxConnections) are busy")
                throw ChannelError.ioOnClosedChannel
            }
            state.logger.debug("idle connection closed to make room for a new one")
            oldest.close()
        }
        let connection = Connection(entryPoint: self, listener: listener, peer: peer)
        connections[ObjectIdentifier(connection)] = connection
        do {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = state.limits.headerSize
            limits.maxHeaderListSize = state.limits.headerSize
            limits.maxHeaderFieldCount = state.limits.headerFields
            let decoder = HTTPRequestDecoder(limitConfiguration: limits)
            try channel.pipeline.syncOperations.addHandlers([
                InputGate(connection), ByteToMessageHandler(decoder), connection,
            ])
        } catch {
            left(connection)
            throw error
        }
    }

    func left(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
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

    /// The connection that has been without a request in work for longest.
    ///
    /// When the server is full, every new connection asks for it: the idle connections are sorted once and the list is
    /// used up. A connection that became idle since then is younger than all that are left in the list.
    private func oldestIdle() -> Connection? {
        if let oldest = nextOfIdleOrder() { return oldest }
        idleOrder = connections.filter { !$0.value.isAtWork }.map { ($0.key, $0.value.idleSince) }
        idleOrder.sort { $0.idleSince > $1.idleSince }
        return nextOfIdleOrder()
    }

    private func nextOfIdleOrder() -> Connection? {
        while let (id, idleSince) = idleOrder.popLast() {
            guard let connection = connections[id], connection.idleSince == idleSince, !connection.isAtWork
            else { continue }
            return connection
        }
        return nil
    }
}
