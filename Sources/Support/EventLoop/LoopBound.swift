internal import NIOCore

/// A value of the event loop, to be carried through a task and used on the loop again.
public struct LoopBound<Value>: Sendable {
    private let bound: NIOLoopBound<Value>

    /// Must be called on the loop.
    public init(_ value: Value, _ executor: LoopExecutor) {
        bound = NIOLoopBound(value, eventLoop: executor.loop)
    }

    /// Must be used on the loop.
    public var value: Value { bound.value }
}
