import Glibc
import NIOCore
import SupervisorEventLoop
import SupervisorPorts
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LoopWorkerTests {
    private struct Refused: Error, Equatable {}

    @Test func `a result comes back to the loop`() async throws {
        try await onLoop { loop in
            let worker = try LoopWorker()
            let elsewhere = try await worker.run { !loop.inEventLoop }
            #expect(elsewhere)
            #expect(loop.inEventLoop)
            await worker.shutdown()
        }
    }

    @Test func `an error of the job is the caller's`() async throws {
        let worker = try LoopWorker()
        await #expect(throws: Refused()) { try await worker.run { throw Refused() } }
        await worker.shutdown()
    }

    @Test func `jobs run one at a time, on one thread, in their order`() async throws {
        try await onLoop { _ in
            let worker = try LoopWorker()
            let seen = Recorder<(job: Int, thread: pthread_t)>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for job in 0..<100 {
                    group.addTask { try await worker.run { seen.append((job, pthread_self())) } }
                }
                try await group.waitForAll()
            }
            #expect(seen.elements.map(\.job) == Array(0..<100))
            #expect(Set(seen.elements.map(\.thread)).count == 1)
            await worker.shutdown()
        }
    }

    @Test func `a full queue refuses a job as busy and keeps the others`() async throws {
        try await onLoop { _ in
            let worker = try LoopWorker(limit: 2)
            let gate = Gate()
            async let first: Void = worker.run { gate.pass() }
            async let second = worker.run { 2 }
            // Both are handed over before this task goes on after a turn of the loop.
            await Task.yield()
            let error = await #expect(throws: WorkerError.self) { try await worker.run {} }
            #expect(error?.code == .full)
            gate.open()
            try await first
            #expect(try await second == 2)
            await worker.shutdown()
        }
    }

    @Test func `a shutdown finishes what is queued and refuses what comes later`() async throws {
        try await onLoop { loop in
            let worker = try LoopWorker()
            let gate = Gate()
            let done = Recorder<Int>()
            let jobs = (0..<10).map { job in
                Task(executorPreference: LoopExecutor(loop)) {
                    try await worker.run {
                        gate.pass()
                        done.append(job)
                    }
                }
            }
            await Task.yield()
            gate.open()
            await worker.shutdown()
            #expect(done.elements == Array(0..<10))
            for job in jobs { try await job.value }
            let error = await #expect(throws: WorkerError.self) { try await worker.run {} }
            #expect(error?.code == .finished)
            await worker.shutdown()
        }
    }
}

/// Holds up a thread until it is opened; then it stays open.
final class Gate: Sendable {
    private let ends: (read: Int32, write: Int32)

    init() {
        var pair: [Int32] = [-1, -1]
        pipe(&pair)
        ends = (pair[0], pair[1])
    }

    deinit { close(ends.read) }

    func pass() {
        var byte: UInt8 = 0
        read(ends.read, &byte, 1)
    }

    func open() { close(ends.write) }
}
