import Logging
import SupervisorEventLoop
import SupervisorPorts

/// What every plugin of the host is given.
struct PluginDependencies: Sendable {
    var executor: LoopExecutor
    var clock: any SupervisorClock
    var worker: any BlockingWorker
    var watcher: any DirectoryWatcher
    var logger: Logger
    var supervisorVersion: String
    /// For children; nil leaves the core's own.
    var descriptorLimit: UInt64?
    /// 0 up to, but not including 1.
    var random: @Sendable () -> Double
}
