import HTTPTestSupport
import SupervisorCore
import SupervisorPorts
import Synchronization
import Testing

@testable import SupervisorEngine

@Suite("Answers of any size")
struct LargeAnswerTests {
    @Test("a large list is parsed by the worker, a small one at once", arguments: [1, 2000])
    func list(count: Int) async throws {
        let worker = CountingWorker()
        let entries = (0..<count).map {
            #"{"Id":"\#($0)","Names":["/n\#($0)"],"Image":"i","ImageID":"sha256:b","State":"running","Created":1}"#
        }
        let body = "[" + entries.joined(separator: ",") + "]"
        try await ScriptedServer.run { request in
            switch request.target {
            case "/_ping": [ScriptedEngine.ping]
            case "/version": [.answer(200, ScriptedEngine.dockerVersion)]
            default: [.answer(200, body)]
            }
        } _: { server in
            let containers = try await ScriptedEngine.engine(server.path, worker: worker).containers(label: "x")
            #expect(containers.count == count)
        }
        #expect(worker.jobs.withLock { $0 } == (count == 1 ? 0 : 1))
    }

    @Test("what a full worker does not take is parsed nevertheless")
    func full() async throws {
        let body = "[" + String(repeating: " ", count: 100_000) + "]"
        try await ScriptedServer.run { request in
            switch request.target {
            case "/_ping": [ScriptedEngine.ping]
            case "/version": [.answer(200, ScriptedEngine.dockerVersion)]
            default: [.answer(200, body)]
            }
        } _: { server in
            let containers = try await ScriptedEngine.engine(server.path, worker: FullWorker()).containers(label: "x")
            #expect(containers.isEmpty)
        }
    }

    private final class CountingWorker: BlockingWorker {
        let jobs = Mutex(0)

        func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
            jobs.withLock { $0 += 1 }
            return try body()
        }
    }

    private struct FullWorker: BlockingWorker {
        func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
            throw WorkerError(.full, "full")
        }
    }
}
