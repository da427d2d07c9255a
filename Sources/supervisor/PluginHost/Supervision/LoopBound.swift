import NIOCore
import SupervisorEventLoop

/// A value of the event loop, to be carried through a task and used on the loop again.
struct LoopBound<Value>: Sendable {
    private let bound: NIOLoopBound<Value>

    /// Must be called on the loop.
    init(_ value: Value, _ executor: LoopExecutor) {
        bound = NIOLoopBound(value, eventLoop: executor.loop)
    }

    /// Must be used on the loop.
    var value: Value { bound.value }
}
