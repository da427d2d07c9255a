import Logging
import NIOCore
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

/// What all connections of a server share. On the event loop only.
final class ServerState {
    let loop: any EventLoop
    let device: any DeviceAPI
    let limits: HTTPLimits
    let clock: any SupervisorClock
    let logger: Logger
    let tasks: RequestTasks
    let streams: Streams
    let turns: TurnQueue
    var requestIDs = RequestIDs()
    var writer = ResponseWriter()
    var pingRequiresKey: Bool
    /// Every response is the last of its connection.
    var isDraining = false

    init(
        executor: LoopExecutor,
        device: any DeviceAPI,
        settings: HTTPServerSettings,
        limits: HTTPLimits,
        clock: any SupervisorClock,
        logger: Logger
    ) {
        loop = executor.loop
        self.device = device
        self.limits = limits
        self.clock = clock
        self.logger = logger
        pingRequiresKey = settings.pingRequiresKey
        tasks = RequestTasks(
            executor: executor,
            device: device,
            limit: settings.maxConnections + limits.controlConnections
        )
        turns = TurnQueue(executor.loop)
        streams = Streams(executor: executor, device: device, limits: limits)
    }
}
