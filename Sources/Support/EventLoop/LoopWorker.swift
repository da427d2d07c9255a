public import NIOCore
public import SupervisorPorts

/// The process's thread for the disk.
///
/// Jobs run one at a time, in the order in which they were submitted. A caller continues where its task runs: a task of
/// the event loop, on the loop. A cancelled caller still waits for its job, because a request to a disk cannot be
/// withdrawn.
///
/// The thread starts with the worker: block the signals that a `SignalSource` is to read first.
public final class LoopWorker: BlockingWorker {
    private let thread: WorkerThread

    /// `limit` is how many jobs may be unfinished at once. Throws what pthread_create(3) says.
    public init(limit: Int = 256) throws(IOError) {
        thread = try WorkerThread(name: "supervisor-disk", limit: limit)
    }

    deinit {
        thread.finish {}
    }

    /// Throws what `body` throws; `WorkerError` when the queue is full, and after `shutdown()` has been called.
    public func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let refusal = thread.submit {
                continuation.resume(with: Result(catching: body))
            }
            switch refusal {
            case nil:
                break
            case .full:
                continuation.resume(
                    throwing: WorkerError(.full, "too many jobs are waiting for the disk")
                )
            case .finished:
                continuation.resume(throwing: WorkerError(.finished, "The supervisor is stopping"))
            }
        }
    }

    /// Takes no more jobs, and returns when those that it has are done. May be called more than once.
    public func shutdown() async {
        await withCheckedContinuation { continuation in
            thread.finish { continuation.resume() }
        }
    }
}
