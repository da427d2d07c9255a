import Glibc
import TestSupport

/// One thread that runs everything of a test, so that it is always known when nothing more is going to happen.
///
/// `@unchecked Sendable`: `mutex` guards the variables; `thread` is written before the first job runs.
final class ThreadExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [UnownedJob] = []
    private var next = 0
    private var isEnding = false
    private var thread = pthread_t()

    init() {
        mutex = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wakeUp, nil)
        TestThread.start { self.serve() }
    }

    deinit {
        pthread_cond_destroy(wakeUp)
        pthread_mutex_destroy(mutex)
        wakeUp.deallocate()
        mutex.deallocate()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        withLock {
            jobs.append(job)
            pthread_cond_signal(wakeUp)
        }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(complexEquality: self) }

    func isSameExclusiveExecutionContext(other: ThreadExecutor) -> Bool { self === other }

    func checkIsolated() { precondition(isCurrent, "not on the test's thread") }

    private var isCurrent: Bool { pthread_equal(pthread_self(), withLock { thread }) != 0 }

    /// Whether no job waits. Asked by a job, that means that it is the only one.
    var isIdle: Bool { withLock { next == jobs.count } }

    /// Ends the thread when nothing is left to do.
    func end() {
        withLock {
            isEnding = true
            pthread_cond_signal(wakeUp)
        }
    }

    private func serve() {
        withLock { thread = pthread_self() }
        while let job = nextJob() {
            job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        }
    }

    private func nextJob() -> UnownedJob? {
        withLock {
            while next == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                next = 0
                if isEnding { return nil }
                pthread_cond_wait(wakeUp, mutex)
            }
            defer { next += 1 }
            return jobs[next]
        }
    }

    private func withLock<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
