import Glibc
import SupervisorPluginAPI
import Synchronization
import Testing

@testable import supervisor_plugin_storage

struct SharedReapingTests {
    /// Work that waits until a test lets it go on.
    private final class Gate: Sendable {
        struct State {
            var begun = 0
            var cancelled = 0
            var open = 0
        }
        let state = Mutex(State())

        func work(_ isCancelled: () -> Bool) -> SharedReaping.Outcome {
            let number = state.withLock {
                $0.begun += 1
                return $0.begun
            }
            while true {
                if isCancelled() {
                    state.withLock { $0.cancelled += 1 }
                    return .failure(PluginError(code: .cancelled, "cancelled"))
                }
                if state.withLock({ $0.open >= number }) { return .success(Int64(number)) }
                usleep(1000)
            }
        }

        func waitUntil(_ condition: @Sendable (State) -> Bool) async throws {
            for _ in 0..<5000 {
                if state.withLock({ condition($0) }) { return }
                try await Task.sleep(for: .milliseconds(1))
            }
            Issue.record("not within five seconds")
        }
    }

    /// Reaps, and tells when the call has joined.
    private func waitUntil(_ reaping: SharedReaping, has callers: Int) async throws {
        for _ in 0..<5000 {
            if reaping.callers == callers { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("not within five seconds")
    }

    @Test(.timeLimit(.minutes(1)))
    func `calls that come together share a run, which looks once more for the later ones`() async throws {
        let gate = Gate()
        let reaping = SharedReaping { gate.work($0) }
        let first = Task { try await reaping.reap() }
        try await gate.waitUntil { $0.begun == 1 }
        let second = Task { try await reaping.reap() }
        try await waitUntil(reaping, has: 2)
        gate.state.withLock { $0.open = 2 }
        #expect(try await first.value == 3)
        #expect(try await second.value == 3)
        #expect(gate.state.withLock { $0.begun } == 2)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a call that is cancelled is answered at once, and the run goes on for the others`() async throws {
        let gate = Gate()
        let reaping = SharedReaping { gate.work($0) }
        let first = Task { try await reaping.reap() }
        try await gate.waitUntil { $0.begun == 1 }
        let second = Task { try await reaping.reap() }
        try await waitUntil(reaping, has: 2)
        first.cancel()
        await #expect(throws: PluginError.self) { try await first.value }
        gate.state.withLock { $0.open = 2 }
        #expect(try await second.value == 3)
        #expect(gate.state.withLock { $0.cancelled } == 0)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a run that nobody wants any more ends, and the next call gets a new one`() async throws {
        let gate = Gate()
        let reaping = SharedReaping { gate.work($0) }
        let first = Task { try await reaping.reap() }
        try await gate.waitUntil { $0.begun == 1 }
        first.cancel()
        await #expect(throws: PluginError.self) { try await first.value }
        try await gate.waitUntil { $0.cancelled == 1 }
        gate.state.withLock { $0.open = 2 }
        #expect(try await reaping.reap() == 2)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a call that is cancelled before it begins is answered`() async {
        let gate = Gate()
        let reaping = SharedReaping { gate.work($0) }
        let call = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await reaping.reap()
        }
        await #expect(throws: PluginError.self) { try await call.value }
    }
}
