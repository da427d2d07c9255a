import Glibc
import Logging
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

/// Notices when something comes to a path or goes from it. Watches the directory, and where that is not there, the next
/// one above it that is.
///
/// Lives on the event loop.
final class SocketWatch {
    private let path: String
    private let watcher: any DirectoryWatcher
    private let executor: LoopExecutor
    private let logger: Logger
    private let onChange: () -> Void
    private var token: WatchToken?
    private var watchedName = ""

    init(
        path: String,
        watcher: any DirectoryWatcher,
        executor: LoopExecutor,
        logger: Logger,
        onChange: @escaping () -> Void
    ) {
        self.path = path
        self.watcher = watcher
        self.executor = executor
        self.logger = logger
        self.onChange = onChange
    }

    func start() {
        let parts = path.split(separator: "/").map(String.init)
        // A directory that is made between two attempts is found by the next one.
        for _ in 0..<8 {
            for depth in (0..<parts.count).reversed() {
                let directory = "/" + parts[..<depth].joined(separator: "/")
                guard watch(directory, for: parts[depth]) else { continue }
                let isDeepest = depth == parts.count - 1
                if isDeepest || access("\(directory)/\(parts[depth])", F_OK) != 0 { return }
                break
            }
        }
    }

    func stop() {
        if let token { watcher.unwatch(token) }
        token = nil
    }

    private func watch(_ directory: String, for name: String) -> Bool {
        stop()
        let bound = LoopBound(WeakWatch(self), executor)
        do throws(WatchError) {
            token = try watcher.watch(directory) { changed in bound.value.watch?.changed(changed) }
            watchedName = name
            return true
        } catch {
            if error.code != ENOENT, error.code != ENOTDIR {
                logger.warning("\(error); a socket that appears at \(path) is noticed only with the next call")
            }
            return false
        }
    }

    private func changed(_ name: String?) {
        guard token != nil, name == nil || name == watchedName else { return }
        start()
        onChange()
    }

    private struct WeakWatch {
        weak var watch: SocketWatch?

        init(_ watch: SocketWatch) {
            self.watch = watch
        }
    }
}
