import SupervisorPluginAPI
import Synchronization

/// Calls of storage.reap: those that come together share one run, on a thread of its own.
///
/// A call that is cancelled is answered at once; the run ends when its last caller has cancelled.
final class SharedReaping: Sendable {
    typealias Outcome = Result<Int64, PluginError>
    /// Does the work, and blocks, until the closure asks it to stop.
    typealias Work = @Sendable (_ isCancelled: @escaping () -> Bool) -> Outcome

    private struct State {
        var callers: [Int: CheckedContinuation<Outcome, Never>] = [:]
        var nextCaller = 0
        /// The run that the callers wait for.
        var run: Int?
        var nextRun = 0
        /// A caller has joined since the run began its search; there may be more to remove.
        var isWantedAgain = false
        /// Owns the run.
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let thread = BlockingThread(name: "reaper")
    private let work: Work

    init(_ work: @escaping Work) {
        self.work = work
    }

    /// How many calls wait.
    var callers: Int { state.withLock { $0.callers.count } }

    /// Returns how many files and directories the run has removed.
    func reap() async throws(PluginError) -> Int64 {
        let caller = state.withLock { state in
            state.nextCaller += 1
            return state.nextCaller
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { join(caller, continuation, &$0) }
                // Cancelled too early for the handler below, which has found no waiter.
                if Task.isCancelled { leave(caller) }
            }
        } onCancel: {
            leave(caller)
        }
        return try outcome.get()
    }

    private func join(_ caller: Int, _ continuation: CheckedContinuation<Outcome, Never>, _ state: inout State) {
        state.callers[caller] = continuation
        guard state.run == nil else {
            state.isWantedAgain = true
            return
        }
        state.nextRun += 1
        let run = state.nextRun
        state.run = run
        state.isWantedAgain = false
        // A cancelled run may still be at its last entry: this one waits for the thread.
        state.task = Task(executorPreference: thread) { self.carryOut(run) }
    }

    private func leave(_ caller: Int) {
        let continuation = state.withLock { state in
            let continuation = state.callers.removeValue(forKey: caller)
            if state.callers.isEmpty { state.run = nil }
            return continuation
        }
        continuation?.resume(returning: .failure(PluginError(code: .cancelled, "cancelled")))
    }

    private func carryOut(_ run: Int) {
        var removed: Int64 = 0
        var callers: [CheckedContinuation<Outcome, Never>]?
        while callers == nil {
            let outcome = work { self.state.withLock { $0.run != run } }
            if case .success(let count) = outcome { removed += count }
            callers = state.withLock { state in
                guard state.run == run else { return [] }
                guard !state.isWantedAgain else {
                    state.isWantedAgain = false
                    return nil
                }
                state.run = nil
                defer { state.callers = [:] }
                return Array(state.callers.values)
            }
            for caller in callers ?? [] { caller.resume(returning: outcome.map { _ in removed }) }
        }
    }
}
