import NIOCore
public import SupervisorPorts
import Synchronization

/// Starts a thread for each job: for rare jobs that must not wait for one another, nor for the disk jobs of
/// `LoopWorker`.
public final class TransientWorker: BlockingWorker {
    private let name: String
    private let limit: Int
    private let unfinished = Mutex(0)

    /// The kernel keeps 15 bytes of the name of a thread. `limit` is how many jobs may be unfinished at once.
    public init(name: String, limit: Int = 16) {
        self.name = name
        self.limit = limit
    }

    /// Throws what `body` throws; `WorkerError` when there are too many already, and what pthread_create(3) says.
    public func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let isFull = unfinished.withLock { count in
            guard count < limit else { return true }
            count += 1
            return false
        }
        if isFull { throw WorkerError(.full, "too much of this kind is under way") }
        defer { unfinished.withLock { $0 -= 1 } }
        let thread = try WorkerThread(name: name, limit: 1)
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            _ = thread.submit { continuation.resume(with: Result(catching: body)) }
            thread.finish {}
        }
    }
}
