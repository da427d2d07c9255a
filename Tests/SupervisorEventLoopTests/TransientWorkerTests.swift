import Glibc
import NIOCore
import SupervisorEventLoop
import SupervisorPorts
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TransientWorkerTests {
    private struct Refused: Error, Equatable {}

    @Test func `a job that hangs holds up no other`() async throws {
        try await onLoop { loop in
            let worker = TransientWorker(name: "test")
            let gate = Gate()
            async let first: Void = worker.run { gate.pass() }
            #expect(try await worker.run { !loop.inEventLoop })
            #expect(loop.inEventLoop)
            gate.open()
            try await first
        }
    }

    @Test func `an error of the job is the caller's`() async throws {
        let worker = TransientWorker(name: "test")
        await #expect(throws: Refused()) { try await worker.run { throw Refused() } }
    }

    @Test func `one too many is refused as busy, until another one ends`() async throws {
        try await onLoop { _ in
            let worker = TransientWorker(name: "test", limit: 1)
            let gate = Gate()
            async let first: Void = worker.run { gate.pass() }
            await Task.yield()
            let error = await #expect(throws: WorkerError.self) { try await worker.run {} }
            #expect(error?.code == .full)
            gate.open()
            try await first
            #expect(try await worker.run { 2 } == 2)
        }
    }

    @Test func `threads end with their jobs`() async throws {
        let worker = TransientWorker(name: "test")
        for _ in 0..<3 {
            let thread = try await worker.run {
                let path = try #require(realpath("/proc/thread-self", nil))
                defer { free(path) }
                return String(cString: path)
            }
            let end = ContinuousClock.now + .seconds(10)
            while access(thread, F_OK) == 0, ContinuousClock.now < end { await Task.yield() }
            #expect(access(thread, F_OK) != 0, "\(thread)")
        }
    }
}
