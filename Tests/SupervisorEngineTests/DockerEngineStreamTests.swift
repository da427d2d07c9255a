import HTTPTestSupport
import NIOCore
import SupervisorCore
import Testing

@testable import SupervisorEngine

@Suite("The streams of an engine", .timeLimit(.minutes(1)))
struct DockerEngineStreamTests {
    // MARK: Downloads

    /// Runs a pull of `reference` against an engine that answers with `steps`, and has the image afterwards or not.
    private func pull(
        _ steps: [ScriptedServer.Step],
        of reference: String = "127.0.0.1:5055/app:1",
        credentials: RegistryCredentials? = nil,
        hasImage: Bool = true,
        timeouts: EngineTimeouts = EngineTimeouts()
    ) async throws -> (error: EngineError?, progress: [Double], calls: [String]) {
        let progress = Collected<Double>()
        return try await ScriptedEngine.run(timeouts: timeouts) { request in
            request.method == "POST" ? steps : hasImage ? [.answer(200, #"{"Id":"sha256:1"}"#)] : [.answer(404)]
        } _: { engine, server async throws in
            do throws(EngineError) {
                try await engine.pull(reference, credentials: credentials) {
                    progress.append(($0 * 100).rounded() / 100)
                }
                return (nil, progress.all, server.calls)
            } catch {
                return (error, progress.all, server.calls)
            }
        }
    }

    private func stream(_ lines: String) -> [ScriptedServer.Step] {
        let lines = lines.split(separator: "\n").map { ScriptedServer.Step.chunk($0 + "\r\n") }
        return [.chunkedHead(200)] + lines + [.lastChunk]
    }

    @Test(
        "report rising percentages up to 100",
        arguments: [
            RecordedPulls.docker, RecordedPulls.dockerUpToDate, RecordedPulls.podman,
        ]
    )
    func success(lines: String) async throws {
        let end = try await pull(stream(lines))
        #expect(end.error == nil)
        #expect(end.progress.first == 0)
        #expect(end.progress.last == 100)
        #expect(end.progress == end.progress.sorted())
    }

    @Test(
        "never ask for all tags of an image",
        arguments: [
            ("app", "fromImage=app&tag=latest"),
            ("localhost:5000/app", "fromImage=localhost%3A5000%2Fapp&tag=latest"),
            ("app:1", "fromImage=app&tag=1"),
            ("app:1@sha256:\(containerID)", "fromImage=app&tag=sha256%3A\(containerID)"),
        ]
    )
    func target(reference: String, query: String) async throws {
        let end = try await pull(stream(RecordedPulls.dockerUpToDate), of: reference)
        #expect(end.error == nil)
        #expect(end.calls.first == "POST /v1.41/images/create?\(query)")
    }

    @Test(
        "fail with what the engine says, before the stream or in it",
        arguments: [
            (RecordedPulls.dockerRetries, EngineError.Code.unreachable, "broke off: unexpected EOF"),
            (RecordedPulls.podmanMissing, .notFound, "manifest unknown"),
            ("no JSON", .malformedAnswer, "not JSON"),
            (#"{"status":""# + String(repeating: "x", count: 1 << 16) + #""}"#, .malformedAnswer, "too long"),
        ]
    )
    func failure(lines: String, code: EngineError.Code, words: String) async throws {
        let end = try await pull(stream(lines))
        #expect(end.error?.code == code)
        #expect(end.error?.message.hasPrefix("cannot download image 127.0.0.1:5055/app:1: ") == true)
        #expect(end.error?.message.contains(words) == true)
        #expect(end.calls.count == 1)
    }

    @Test(
        "fail with the status where there is no stream",
        arguments: [
            (404, EngineError.Code.notFound), (500, .failed), (400, .invalid),
        ]
    )
    func status(status: Int, code: EngineError.Code) async throws {
        let end = try await pull([.answer(status, #"{"message":"because"}"#)])
        #expect(end.error == EngineError(code, "cannot download image 127.0.0.1:5055/app:1: because"))
        #expect(end.progress.isEmpty)
    }

    @Test("bring credentials for their own registry in a header, and for no other")
    func credentials() async throws {
        // The bytes ff and fe would be characters of plain Base64 that an address cannot have.
        let credentials = RegistryCredentials(registry: "127.0.0.1:5055", username: "al", password: "ÿþ?>s3cret")
        try await ScriptedEngine.run { request in
            request.method == "POST" ? stream(RecordedPulls.dockerUpToDate) : [.answer(200, #"{"Id":"sha256:1"}"#)]
        } _: { engine, server async throws in
            try await engine.pull("127.0.0.1:5055/app:1", credentials: credentials) { _ in }
            let request = try #require(server.requests.first { $0.method == "POST" })
            let expected =
                "eyJ1c2VybmFtZSI6ImFsIiwicGFzc3dvcmQiOiLDv8O-Pz5zM2NyZXQiLCJzZXJ2ZXJhZGRyZXNzIjoiMTI3LjAuMC4xOjUwNTUifQ=="
            #expect(request.text.contains("\r\nX-Registry-Auth: \(expected)\r\n"))

            let before = server.requests.count
            do throws(EngineError) {
                try await engine.pull("127.0.0.1:5056/app:1", credentials: credentials) { _ in }
                Issue.record("credentials of another registry were sent")
            } catch {
                #expect(error.code == .invalid)
                #expect(!error.message.contains("s3cret"))
            }
            #expect(server.requests.count == before)

            try await engine.pull("127.0.0.1:5055/app:1", credentials: nil) { _ in }
            #expect(server.requests.last { $0.method == "POST" }?.text.contains("X-Registry-Auth") == false)
        }
    }

    @Test("say whether it was for want of credentials or in spite of them", arguments: [false, true])
    func unauthorized(hasCredentials: Bool) async throws {
        let end = try await pull(
            [.answer(500, #"{"message":"Get \"http://127.0.0.1:5055/v2/\": unauthorized: authentication required"}"#)],
            credentials: hasCredentials
                ? RegistryCredentials(registry: "127.0.0.1:5055", username: "al", password: "s3cret") : nil
        )
        #expect(end.error?.code == .unauthorized)
        let words =
            hasCredentials ? "does not accept the credentials for it" : "asks for credentials, and there are none"
        #expect(end.error?.message.contains("the registry 127.0.0.1:5055 \(words)") == true)
        #expect(end.error?.message.hasSuffix("unauthorized: authentication required") == true)
        #expect(end.error?.message.contains("s3cret") == false)
    }

    @Test("are not believed without the image")
    func notThere() async throws {
        let end = try await pull(stream(RecordedPulls.docker), hasImage: false)
        #expect(end.error?.code == .failed)
    }

    @Test("notice an engine that goes away")
    func broken() async throws {
        let end = try await pull(stream(RecordedPulls.docker).dropLast())
        #expect(end.error?.code == .unavailable)
    }

    @Test("notice an error that has no end of line")
    func unfinishedLine() async throws {
        let end = try await pull([.chunkedHead(200), .chunk(#"{"error":"cut"}"#), .lastChunk])
        #expect(end.error?.code == .failed)
    }

    @Test("give up when the engine falls silent")
    func silent() async throws {
        var timeouts = EngineTimeouts()
        timeouts.pullSilence = .milliseconds(100)
        let end = try await pull(stream(RecordedPulls.docker).dropLast() + [.hang], timeouts: timeouts)
        #expect(end.error?.code == .timeout)
    }

    @Test("of an id are refused")
    func id() async throws {
        let end = try await pull([.answer(200)], of: "sha256:\(containerID)")
        #expect(end.error?.code == .invalid)
        #expect(end.calls.isEmpty)
    }

    @Test("are aborted with their task")
    func cancelled() async throws {
        try await ScriptedEngine.run { _ in
            [.chunkedHead(200), .hang]
        } _: { engine, server async throws in
            let (begun, continuation) = AsyncStream.makeStream(of: Double.self, bufferingPolicy: .bufferingNewest(1))
            let task = Task {
                await code { () throws(EngineError) in
                    try await engine.pull("app", credentials: nil) { continuation.yield($0) }
                }
            }
            for await _ in begun { break }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    // MARK: Events

    /// Docker 20.10.24; the third is podman 4.3.1.
    private static let recorded = #"""
        {"status":"create","id":"\#(containerID)","from":"app:1","Type":"container","Action":"create","Actor":{"ID":"\#(containerID)","Attributes":{"image":"app:1","io.app":"7","name":"app"}},"scope":"local","time":1,"timeNano":1}
        {"status":"die","id":"\#(containerID)","from":"app:1","Type":"container","Action":"die","Actor":{"ID":"\#(containerID)","Attributes":{"exitCode":"137","image":"app:1","io.app":"7","name":"app"}},"scope":"local","time":1,"timeNano":1}
        {"Type":"container","Action":"remove","Actor":{"ID":"\#(containerID)","Attributes":{"containerExitCode":"0","image":"app:1","io.app":"7","name":"app"}},"scope":"local","time":1,"timeNano":1}
        {"Type":"container","Action":"died","Actor":{"ID":"\#(containerID)","Attributes":{"containerExitCode":"3","io.app":"7"}}}
        {"status":"health_status: unhealthy","id":"\#(containerID)","from":"app:1","Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"\#(containerID)","Attributes":{"image":"app:1","io.app":"7","name":"app"}}}
        {"Type":"image","Action":"pull","Actor":{"ID":"app:1","Attributes":{"name":"app"}}}
        """#

    private static let decoded: [EngineEvent] = [
        .connected,
        .container(id: containerID, action: "create", exitCode: nil, labels: ["io.app": "7"], name: "app"),
        .container(id: containerID, action: "die", exitCode: 137, labels: ["io.app": "7"], name: "app"),
        .container(id: containerID, action: "destroy", exitCode: nil, labels: ["io.app": "7"], name: "app"),
        .container(id: containerID, action: "die", exitCode: 3, labels: ["io.app": "7"]),
        .container(id: containerID, action: "health_status", exitCode: nil, labels: ["io.app": "7"], name: "app"),
    ]

    @Test("tell events of containers in their order, until the engine ends them or dies", arguments: [false, true])
    func events(dies: Bool) async throws {
        let lines = Self.recorded.split(separator: "\n").map { ScriptedServer.Step.chunk($0 + "\n") }
        let steps = [.chunkedHead(200)] + lines + (dies ? [] : [.lastChunk])
        try await ScriptedEngine.run { _ in
            steps
        } _: { engine, server async throws in
            let events = Collected<EngineEvent>()
            try await engine.events(label: "io.app") { events.append($0) }
            #expect(events.all == Self.decoded)
            #expect(
                server.calls == [
                    "GET /v1.41/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22label%22%3A%5B%22io.app%22%5D%7D"
                ]
            )
        }
    }

    @Test("leave out what changes no container, where the engine is known not to be podman", arguments: [true, false])
    func filtered(isPodman: Bool) async throws {
        try await ScriptedServer.run { request in
            switch request.target {
            case "/_ping":
                [.answer(200, headers: ["Api-Version: 1.41", isPodman ? "Server: Libpod/4.3.1" : "Server: Docker"])]
            case "/version": [.answer(200, "{}")]
            default: [.chunkedHead(200), .lastChunk]
            }
        } _: { server async throws in
            let engine = ScriptedEngine.engine(server.path)
            _ = try await engine.ping()
            try await engine.events(label: "x") { _ in }
            let hasFilter = server.calls.last?.contains("%22event%22%3A%5B%22create%22%2C%22start%22") == true
            #expect(hasFilter == !isPodman)
            #expect(server.calls.last?.contains("exec") == false)
        }
    }

    @Test("are up when the head has come, before any event, and on the event loop")
    func connected() async throws {
        try await ScriptedEngine.run { _ in
            [.chunkedHead(200), .hang]
        } _: { engine, server async throws in
            let (events, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
            let task = Task {
                await code { () throws(EngineError) in
                    try await engine.events(label: "x") {
                        continuation.yield($0 == .connected && engine.loop.inEventLoop)
                    }
                }
            }
            for await isRight in events {
                #expect(isRight)
                break
            }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    @Test(
        "cannot be had from an engine that refuses, hangs or talks nonsense",
        arguments: [
            ([ScriptedServer.Step.answer(400, #"{"message":"invalid filter"}"#)], EngineError.Code.invalid),
            ([.hang], .timeout),
            ([], .unavailable),
            ([.chunkedHead(200), .chunk("nonsense\n"), .hang], .malformedAnswer),
        ]
    )
    func refused(steps: [ScriptedServer.Step], expected: EngineError.Code) async throws {
        var timeouts = EngineTimeouts()
        timeouts.query = .seconds(2)
        try await ScriptedEngine.run(timeouts: timeouts) { _ in
            steps
        } _: { engine, _ async throws in
            let events = Collected<EngineEvent>()
            let code = await code { () throws(EngineError) in try await engine.events(label: "x") { events.append($0) }
            }
            #expect(code == expected)
            #expect(events.all == (expected == .malformedAnswer ? [.connected] : []))
        }
    }
}
