public import NIOCore
import SupervisorPorts

/// The event loop as an executor: of actors (serial) and of tasks (preference).
///
/// The core actor and every root task of the process run on it, so that nothing hops to the global pool, whose threads
/// would be as many as the machine has cores.
///
/// A task that does not prefer this executor is put at the end of the queue at every `await` of an actor that runs on it,
/// `withCheckedContinuation` included: between a check and a wait other jobs run then. What is waited for is therefore
/// checked within the continuation's closure.
public final class LoopExecutor: SerialExecutor, TaskExecutor {
    public let loop: any EventLoop

    public init(_ loop: any EventLoop) {
        self.loop = loop
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute {
            // A task has no name here; what takes long in it has one.
            LoopWatch.shared.run(nil) {
                job.runSynchronously(
                    isolatedTo: self.asUnownedSerialExecutor(),
                    taskExecutor: self.asUnownedTaskExecutor()
                )
            }
        }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(complexEquality: self)
    }

    public func isSameExclusiveExecutionContext(other: LoopExecutor) -> Bool {
        loop === other.loop
    }

    public func checkIsolated() {
        loop.preconditionInEventLoop()
    }
}
