import HTTPTestSupport
import Logging
import NIOCore
import NIOPosix
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts
import Synchronization

@testable import SupervisorEngine

/// 64 hex digits, as ids and digests have.
let containerID = String(repeating: "0123456789abcdef", count: 4)

/// An engine that says what the test wants.
enum ScriptedEngine {
    static let dockerVersion = #"""
        {"Platform":{"Name":""},"Components":[{"Name":"Engine","Version":"20.10.24"}],
         "Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}
        """#

    static let ping = ScriptedServer.Step.answer(
        200,
        headers: ["Api-Version: 1.41", "Server: Docker/20.10.24 (linux)"],
        "OK"
    )

    /// Answers the negotiation as Docker 20.10 does, and everything else with `answer`, which sees targets without the
    /// version.
    static func run<Result>(
        timeouts: EngineTimeouts = EngineTimeouts(),
        answer: @escaping @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step],
        _ body: (DockerEngine, ScriptedServer) async throws -> Result
    ) async throws -> Result {
        try await ScriptedServer.run { request in
            switch request.target {
            case "/_ping": return [ping]
            case "/version": return [.answer(200, dockerVersion)]
            default:
                var request = request
                guard request.target.hasPrefix("/v1.41/") else { return [.answer(400, "no version")] }
                request.target.removeFirst("/v1.41".count)
                return answer(request)
            }
        } _: { server in
            try await body(engine(server.path, timeouts: timeouts), server)
        }
    }

    static func engine(
        _ path: String,
        timeouts: EngineTimeouts = EngineTimeouts(),
        worker: any BlockingWorker = TransientWorker(name: "engine-answer")
    ) -> DockerEngine {
        DockerEngine(
            socket: path,
            loop: MultiThreadedEventLoopGroup.singleton.next(),
            worker: worker,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            timeouts: timeouts
        )
    }
}

extension ScriptedServer {
    /// The calls after the negotiation, as "METHOD target".
    var calls: [String] {
        requests.map { "\($0.method) \($0.target)" }.filter { $0 != "GET /_ping" && $0 != "GET /version" }
    }
}

/// Values from callbacks, in their order.
final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }

    func append(_ element: Element) { elements.withLock { $0.append(element) } }
}

/// Runs `body` and returns the code of its error; nil where it succeeded.
func code(_ body: () async throws(EngineError) -> some Any) async -> EngineError.Code? {
    do throws(EngineError) {
        _ = try await body()
        return nil
    } catch {
        return error.code
    }
}
