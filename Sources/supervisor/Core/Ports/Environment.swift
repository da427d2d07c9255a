/// Time, as the core needs it. Tests inject their own.
public protocol SupervisorClock: Sendable {
    /// Time since an arbitrary start. Never jumps, and goes on while the machine sleeps (CLOCK_BOOTTIME of
    /// clock_gettime(2)).
    var now: Duration { get }

    /// Seconds since 1970, as the machine believes now; it may jump.
    var wallSeconds: Int64 { get }

    /// Throws when the task is cancelled.
    func sleep(for duration: Duration) async throws(CancellationError)
}

/// Where something may block: file system work that can wait for a disk.
public protocol BlockingWorker: Sendable {
    /// Runs `body`. Throws `SupervisorError.busy` where too much is under way.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
}

/// Notices changes of directories (inotify(7)).
public protocol DirectoryWatcher: Sendable {
    /// Calls `onChange` on the event loop with the name of the entry that was made, removed, renamed, closed after
    /// writing, or changed in its attributes; with nil when the directory itself changed or events were lost.
    ///
    /// Throws where the directory is absent or may not be read. Must be called on the event loop.
    func watch(_ directory: String, onChange: @escaping @Sendable (String?) -> Void) throws(WatchError) -> WatchToken

    /// No call of `onChange` comes after this. Must be called on the event loop.
    func unwatch(_ token: WatchToken)
}

/// One watch of a `DirectoryWatcher`.
public struct WatchToken: Sendable, Hashable {
    public let number: Int

    public init(number: Int) {
        self.number = number
    }
}

/// Why a directory cannot be watched.
public struct WatchError: Error, Sendable, Hashable, CustomStringConvertible {
    public var directory: String
    /// errno(3) of inotify_add_watch(2).
    public var code: Int32
    public var description: String

    public init(directory: String, code: Int32, description: String) {
        self.directory = directory
        self.code = code
        self.description = description
    }
}
