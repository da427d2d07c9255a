import JSON
import SupervisorPorts
import Testing

@testable import SupervisorCore

/// A worker that does not take a job.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorWorkerTests {
    private static let one = Sample.target((1, Sample.app("app:1")))

    private static func refusal(_ error: WorkerError) async -> SupervisorError? {
        let answer = Answer()
        await Bench.run(target: one) { bench in
            bench.worker.refusal = error
            answer.error = try await bench.refusal { try await $0.restart(AppID(1), force: false) }
            #expect(bench.engine.calls == [], "nothing was begun")
            bench.worker.refusal = nil
        }
        return answer.error
    }

    /// `@unchecked Sendable`: written by the test's thread before the run returns.
    private final class Answer: @unchecked Sendable { var error: SupervisorError? }

    @Test func `a worker with too much to do lets a caller come again`() async {
        let error = await Self.refusal(WorkerError(.full, "32 jobs wait already"))
        #expect(error?.code == .busy)
        #expect(error?.message == "32 jobs wait already")
        #expect(error?.retryAfter == 5)
    }

    @Test func `a worker that takes no more jobs is away`() async {
        let error = await Self.refusal(WorkerError(.finished, "the worker is stopping"))
        #expect(error?.code == .unavailable)
        #expect(error?.message == "the worker is stopping")
        #expect(error?.retryAfter == nil)
    }
}
