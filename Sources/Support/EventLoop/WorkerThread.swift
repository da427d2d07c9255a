import CLinux
import Glibc
import NIOCore

/// A thread of POSIX with a bounded first-in, first-out queue of jobs.
///
/// Not NIOThreadPool, whose queue has no bound and whose shutdown drops what is queued.
///
/// `@unchecked Sendable`: `mutex` guards every variable.
final class WorkerThread: @unchecked Sendable {
    enum Refusal: Sendable {
        case full
        case finished
    }

    typealias Job = @Sendable () -> Void

    private let name: String
    private let limit: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
    private var pending: [Job] = []
    /// Jobs that are pending or under way.
    private var unfinished = 0
    private var takesJobs = true
    private var hasEnded = false
    private var atEnd: [Job] = []

    init(name: String, limit: Int) throws(IOError) {
        self.name = name
        self.limit = limit
        mutex = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wakeUp, nil)

        // The thread keeps its object alive until it ends.
        let retained = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<WorkerThread>.fromOpaque(raw).takeRetainedValue().serve()
                return nil
            },
            retained.toOpaque()
        )
        guard code == 0 else {
            retained.release()
            throw IOError(errnoCode: code, reason: "pthread_create")
        }
        pthread_detach(thread)
    }

    deinit {
        pthread_cond_destroy(wakeUp)
        pthread_mutex_destroy(mutex)
        wakeUp.deallocate()
        mutex.deallocate()
    }

    /// nil when `job` will run.
    func submit(_ job: @escaping Job) -> Refusal? {
        withLock {
            guard takesJobs else { return .finished }
            guard unfinished < limit else { return .full }
            pending.append(job)
            unfinished += 1
            pthread_cond_signal(wakeUp)
            return nil
        }
    }

    /// Takes no more jobs; calls `done`, on the thread as the last thing it does, when all that were taken have run. If
    /// they have run already, calls it at once, on the caller's thread.
    func finish(_ done: @escaping Job) {
        let isPast = withLock {
            takesJobs = false
            if !hasEnded { atEnd.append(done) }
            pthread_cond_signal(wakeUp)
            return hasEnded
        }
        if isPast { done() }
    }

    private func serve() {
        clinux_name_thread(name)
        while let jobs = nextJobs() {
            for job in jobs {
                job()
                withLock { unfinished -= 1 }
            }
        }
        let last = withLock {
            hasEnded = true
            defer { atEnd = [] }
            return atEnd
        }
        for job in last { job() }
    }

    /// Waits for work; nil when none will come.
    private func nextJobs() -> [Job]? {
        withLock {
            while pending.isEmpty {
                guard takesJobs else { return nil }
                pthread_cond_wait(wakeUp, mutex)
            }
            defer { pending = [] }
            return pending
        }
    }

    private func withLock<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
