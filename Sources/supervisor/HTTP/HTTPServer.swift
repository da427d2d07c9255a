public import Logging
public import NIOCore
public import SupervisorCore
public import SupervisorEventLoop
public import SupervisorPorts

/// The HTTP API of the device: on the network, one listener per interface, and on the control socket.
///
/// Lives on the event loop of its executor: make it and call it there, from a task that prefers that executor or from a
/// callback of the loop. The device is an actor of the same loop.
public final class HTTPServer {
    private let state: ServerState
    private let api: EntryPoint
    private let control: EntryPoint
    private let uplink: EntryPoint
    private let listeners: APIListeners
    private var controlListener: ControlListener?
    private var uplinkListener: ControlListener?

    /// - Parameter clock: for the Date header.
    public init(
        executor: LoopExecutor,
        device: any DeviceAPI,
        settings: HTTPServerSettings,
        limits: HTTPLimits = HTTPLimits(),
        clock: any SupervisorClock,
        logger: Logger
    ) {
        executor.loop.preconditionInEventLoop()
        state = ServerState(
            executor: executor,
            device: device,
            settings: settings,
            limits: limits,
            clock: clock,
            logger: logger
        )
        api = EntryPoint(
            state: state,
            routes: RouteTable(.v1),
            isTrusted: false,
            maxConnections: settings.maxConnections
        )
        control = EntryPoint(
            state: state,
            routes: RouteTable(.v1 + .control),
            isTrusted: true,
            maxConnections: limits.controlConnections
        )
        uplink = EntryPoint(
            state: state,
            routes: RouteTable(.v1),
            isTrusted: true,
            namesActors: true,
            maxConnections: limits.uplinkConnections
        )
        listeners = APIListeners(entryPoint: api, settings: settings)
    }

    /// The address of every listener of the API, by the name of its interface ("*" for one that serves all).
    public var addresses: [String: SocketAddress] { listeners.addresses }

    /// Connections of the API, without those of the control socket.
    public var connectionCount: Int { api.connectionCount }

    // MARK: Listening

    /// Opens the listeners for the interfaces that are there. Returns when each is open or has failed; what has failed
    /// is logged and tried again.
    public func listen(interfaces: InterfaceSnapshot) async {
        listeners.update(present: interfaces.interfaces)
        await settled()
    }

    /// Begins to serve the control socket at `path`.
    ///
    /// Throws an error with a text for people where the socket cannot be made, also because another process serves it.
    public func listenForControl(path: String) async throws {
        controlListener = try await ControlListener.open(path, entryPoint: control)
    }

    /// Begins to serve the socket of the uplink at `path`: the routes of the API, without a key, for root and the user
    /// `user` alone. Where there is no such user, for root.
    ///
    /// Throws an error with a text for people where the socket cannot be made, also because another process serves it.
    public func listenForUplink(path: String, user: String) async throws {
        uplinkListener = try await ControlListener.open(path, user: user, entryPoint: uplink)
    }

    /// Interfaces have come or gone.
    public func interfacesChanged(_ interfaces: InterfaceSnapshot) {
        listeners.update(present: interfaces.interfaces)
    }

    /// The engine has named the bridge of its own network: containers on it reach the API there, where the interface `docker0`
    /// is wanted.
    public func engineBridgeChanged(_ name: String?) {
        listeners.update(engineBridge: name)
    }

    /// Takes over everything but the port. Connections of an interface that is no longer served end with the request
    /// that they are at.
    public func apply(_ settings: HTTPServerSettings) {
        state.pingRequiresKey = settings.pingRequiresKey
        state.tasks.limit = settings.maxConnections + state.limits.controlConnections
        api.maxConnections = settings.maxConnections
        listeners.update(interfaces: settings.interfaces)
    }

    /// Returns when every listener that the settings want is open or has failed.
    public func settled() async {
        let promise = state.loop.makePromise(of: Void.self)
        listeners.whenSettled { promise.succeed() }
        // A promise that is never failed.
        try? await promise.futureResult.get()
    }

    // MARK: Stopping

    /// Takes no further connection and no further request, and returns when those under way are answered, after
    /// `timeout` at the latest. The server is of no use afterwards.
    public func drain(timeout: Duration) async {
        state.isDraining = true
        listeners.stop()
        controlListener?.close()
        controlListener = nil
        uplinkListener?.close()
        uplinkListener = nil
        await settled()
        // A promise that is never failed.
        try? await ended(within: TimeAmount(timeout)).get()
    }

    /// Fulfilled when no connection is left.
    private func ended(within timeout: TimeAmount) -> EventLoopFuture<Void> {
        let promise = state.loop.makePromise(of: Void.self)
        let entryPoints = [api, control, uplink]
        for entryPoint in entryPoints { entryPoint.finishAll() }
        let deadline = state.loop.assumeIsolated().scheduleTask(in: timeout) {
            for entryPoint in entryPoints { entryPoint.closeAll() }
        }
        var open = entryPoints.count
        for entryPoint in entryPoints {
            entryPoint.whenEmpty {
                open -= 1
                guard open == 0 else { return }
                deadline.cancel()
                promise.succeed()
            }
        }
        return promise.futureResult
    }
}
