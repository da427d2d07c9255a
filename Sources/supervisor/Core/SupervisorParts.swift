public import JSON
public import Logging
public import SupervisorPorts

/// The parts that the core depends on. The program connects them.
public struct SupervisorParts: Sendable {
    public var engine: any ContainerEngine
    public var host: any HostOperations
    public var clock: any SupervisorClock
    /// Runs jobs one at a time, in the order in which they came.
    public var worker: any BlockingWorker
    /// Removes what was purged, beside the worker: a tree of root's with hundreds of thousands of files takes many seconds to
    /// be looked through, and nothing else may wait for that. The worker where nil.
    public var reaper: (any BlockingWorker)?
    public var watcher: any DirectoryWatcher
    public var executor: any SerialExecutor & TaskExecutor
    public var store: StateStore
    public var directories: AppDirectories
    public var bootID: String
    /// Known to the update locks of this supervisor and of those before it since the boot.
    public var lockToken: String
    /// The addresses of the device, separated by spaces; asked for on the event loop.
    public var addresses: @Sendable () -> String
    /// Reads the configuration again, applies it to everything but the core and returns what is the core's.
    public var reload: @Sendable () async throws(SupervisorError) -> SupervisorSettings
    public var logger: Logger
    /// The configuration in effect, for people; asked for on the event loop.
    public var configuration: @Sendable () -> JSONValue = { [] }
    /// Called on the event loop when a plugin has been ended because it was not needed for a while.
    public var onIdle: @Sendable () -> Void = {}
    /// Called on the event loop with the bridge of the engine's own network whenever the engine has been connected to; nil
    /// where it names none.
    public var onEngineBridge: @Sendable (String?) -> Void = { _ in }

    public init(
        engine: any ContainerEngine,
        host: any HostOperations,
        clock: any SupervisorClock,
        worker: any BlockingWorker,
        watcher: any DirectoryWatcher,
        executor: any SerialExecutor & TaskExecutor,
        store: StateStore,
        directories: AppDirectories,
        bootID: String,
        lockToken: String,
        addresses: @escaping @Sendable () -> String,
        reload: @escaping @Sendable () async throws(SupervisorError) -> SupervisorSettings,
        logger: Logger
    ) {
        self.engine = engine
        self.host = host
        self.clock = clock
        self.worker = worker
        self.watcher = watcher
        self.executor = executor
        self.store = store
        self.directories = directories
        self.bootID = bootID
        self.lockToken = lockToken
        self.addresses = addresses
        self.reload = reload
        self.logger = logger
    }
}
