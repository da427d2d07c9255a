import NIOCore
import NIOPosix

@testable import SupervisorEventLoop

/// Runs `body` as a task of an event loop of its own, as the daemon runs everything.
func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (any EventLoop) async throws -> Value
) async throws -> Value {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let outcome = await Task(executorPreference: LoopExecutor(loop)) { try await body(loop) }.result
    try await group.shutdownGracefully()
    return try outcome.get()
}
