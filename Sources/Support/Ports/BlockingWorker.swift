/// Runs work that may block, such as file system calls that wait for a disk.
public protocol BlockingWorker: Sendable {
    /// Runs `body`. Throws what `body` throws, and `WorkerError` where the worker does not take it.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
}
