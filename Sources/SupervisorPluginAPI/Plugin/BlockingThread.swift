import CLinux
import Glibc

/// A thread of its own, for calls that block: an executor for tasks and actors.
///
/// An actor whose `unownedExecutor` is one of these owns its thread, as a connection of libdbus wants it:
///
/// ```swift
/// actor Bus {
///     private nonisolated let thread = BlockingThread(name: "bus")
///     nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
/// }
/// ```
///
/// Jobs run one at a time, in the order in which they came. The thread lives as long as the process.
///
/// `@unchecked Sendable`: `mutex` guards `jobs`.
public final class BlockingThread: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
    private let name: String
    private var jobs: [UnownedJob] = []

    /// The kernel keeps 15 bytes of the name. Ends the process if the thread cannot be started.
    public init(name: String) {
        self.name = name
        mutex = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wakeUp, nil)
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<BlockingThread>.fromOpaque(raw).takeRetainedValue().serve()
            },
            Unmanaged.passRetained(self).toOpaque()
        )
        guard code == 0 else {
            PluginLog.error("cannot start the thread \(name): \(String(cString: strerror(code)))")
            exit(1)
        }
        pthread_detach(thread)
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_mutex_unlock(mutex)
        // After the unlock: a thread that wakes to a locked mutex goes to sleep again.
        pthread_cond_signal(wakeUp)
    }

    private func serve() -> Never {
        clinux_name_thread(name)
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty { pthread_cond_wait(wakeUp, mutex) }
            let taken = jobs
            jobs = []
            pthread_mutex_unlock(mutex)
            for job in taken {
                job.runSynchronously(
                    isolatedTo: asUnownedSerialExecutor(),
                    taskExecutor: asUnownedTaskExecutor()
                )
            }
        }
    }
}
