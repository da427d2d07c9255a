import SupervisorPluginAPI
import Synchronization

/// Looks names up on a thread of its own, one at a time: a resolver that hangs holds one thread, however often it is asked.
final class Resolver: Sendable {
    private struct State {
        var isAsking = false
        var answer: [SocketAddress]?
        var thread: BlockingThread?
        /// Owns the query.
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let look: @Sendable (PingTarget) -> [SocketAddress]
    private let whenAnswered: @Sendable () -> Void

    /// - Parameter look: blocks.
    init(
        look: @escaping @Sendable (PingTarget) -> [SocketAddress] = { SocketAddress.look(up: $0, onlyNumeric: false) },
        whenAnswered: @escaping @Sendable () -> Void
    ) {
        self.look = look
        self.whenAnswered = whenAnswered
    }

    /// Begins a query, unless one is under way still, whose answer is as good.
    func ask(_ target: PingTarget) {
        state.withLock { state in
            guard !state.isAsking else { return }
            state.isAsking = true
            state.answer = nil
            let thread = state.thread ?? BlockingThread(name: "resolver")
            state.thread = thread
            state.task = Task(executorPreference: thread) {
                let answer = self.look(target)
                self.state.withLock { state in
                    state.isAsking = false
                    state.answer = answer
                }
                self.whenAnswered()
            }
        }
    }

    /// The answer since the last query began, once.
    func take() -> [SocketAddress]? {
        state.withLock { state in
            defer { state.answer = nil }
            return state.answer
        }
    }
}
