import HTTPTestSupport
import JSON
import NIOCore
import SupervisorCore
import Synchronization
import Testing

@testable import SupervisorEngine

@Suite("The client of an engine", .timeLimit(.minutes(1)))
struct DockerEngineTests {
    // MARK: Negotiation

    static let engines: [(String, String, String, EngineInformation)] = [
        (
            "1.41", "Docker/20.10.24+dfsg1 (linux)", ScriptedEngine.dockerVersion,
            EngineInformation(name: "docker", version: "20.10.24", apiVersion: "1.41")
        ),
        (
            "1.41", "Libpod/4.3.1 (linux)",
            #"{"Components":[{"Name":"Podman Engine"}],"Version":"4.3.1","ApiVersion":"1.41","MinAPIVersion":"1.24"}"#,
            EngineInformation(name: "podman", version: "4.3.1", apiVersion: "1.41")
        ),
        (
            "1.39", "balenaEngine/20.10.17 (linux)", #"{"Version":"20.10.17","MinAPIVersion":"1.12"}"#,
            EngineInformation(name: "balena-engine", version: "20.10.17", apiVersion: "1.39")
        ),
        (
            "1.52", "Docker/29.0.0 (linux)", #"{"Version":"29.0.0","MinAPIVersion":"1.44"}"#,
            EngineInformation(name: "docker", version: "29.0.0", apiVersion: "1.44")
        ),
    ]

    @Test("finds out what it is and which version of the API both have", arguments: engines)
    func ping(api: String, server: String, version: String, expected: EngineInformation) async throws {
        try await ScriptedServer.run { request in
            request.target == "/_ping"
                ? [.answer(200, headers: ["Api-Version: \(api)", "Server: \(server)"], "OK")]
                : [.answer(200, request.target == "/version" ? version : "[]")]
        } _: { server async throws in
            let engine = ScriptedEngine.engine(server.path)
            #expect(try await engine.ping() == expected)
            #expect(try await engine.containers(label: "x").isEmpty)
            #expect(server.calls.count == 1)
            #expect(server.calls.allSatisfy { $0.hasPrefix("GET /v\(expected.apiVersion)/containers/json") })
        }
    }

    @Test("negotiates once, and again after the engine was away")
    func renegotiates() async throws {
        let isAway = Mutex(false)
        try await ScriptedEngine.run { _ in
            isAway.withLock { $0 } ? [] : [.answer(404)]
        } _: { engine, server async throws in
            #expect(try await engine.inspect(container: "a") == nil)
            #expect(try await engine.inspect(container: "a") == nil)
            #expect(server.requests.count == 4)
            isAway.withLock { $0 = true }
            #expect(await code { () throws(EngineError) in try await engine.inspect(container: "a") } == .unavailable)
            isAway.withLock { $0 = false }
            #expect(try await engine.inspect(container: "a") == nil)
            #expect(server.requests.map(\.target).suffix(3) == ["/_ping", "/version", "/v1.41/containers/a/json"])
        }
    }

    @Test("asks again when an engine that was replaced refuses the version")
    func refusedVersion() async throws {
        let api = Mutex("1.41")
        try await ScriptedServer.run { request in
            let api = api.withLock { $0 }
            switch request.target {
            case "/_ping": return [.answer(200, headers: ["Api-Version: \(api)"], "OK")]
            case "/version": return [.answer(200, ScriptedEngine.dockerVersion)]
            case _ where request.target.hasPrefix("/v\(api)/"): return [.answer(204)]
            default:
                return [
                    .answer(
                        400,
                        #"{"message":"client version 1.41 is too new. Maximum supported API version is 1.38"}"#
                    )
                ]
            }
        } _: { server async throws in
            let engine = ScriptedEngine.engine(server.path)
            try await engine.start(container: "a")
            api.withLock { $0 = "1.38" }
            try await engine.start(container: "a")
            #expect(
                server.calls == [
                    "POST /v1.41/containers/a/start", "POST /v1.41/containers/a/start",
                    "POST /v1.38/containers/a/start",
                ]
            )
        }
    }

    @Test("says that there is no engine")
    func absent() async {
        let engine = ScriptedEngine.engine("/nonexistent/engine.sock")
        let error = await #expect(throws: EngineError.self) { try await engine.ping() }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("/nonexistent/engine.sock") == true)
    }

    @Test("leaves a task on the event loop where it is, and answers one from elsewhere too")
    func staysOnLoop() async throws {
        try await ScriptedEngine.run { _ in
            [.answer(200, "[]")]
        } _: { engine, _ async throws in
            let places = Task(executorPreference: LoopPreference(engine.loop)) {
                var places = [engine.loop.inEventLoop]
                _ = try await engine.ping()
                places.append(engine.loop.inEventLoop)
                _ = try await engine.containers(label: "x")
                return places + [engine.loop.inEventLoop]
            }
            #expect(try await places.value == [true, true, true])
            #expect(try await engine.containers(label: "x").isEmpty)
        }
    }

    // MARK: Containers

    @Test("lists containers by label, in any state")
    func list() async throws {
        let list = #"""
            [{"Id":"\#(containerID)","Names":["/other/alias","/app"],"Image":"app:1","ImageID":"sha256:1",
              "Labels":{"a":"b"},"State":"running","Status":"Up 2 seconds (healthy)",
              "NetworkSettings":{"Networks":{"7_front":{"NetworkID":"abc"},"7_back":{"NetworkID":""}}}},
             {"Id":"2","Names":["/x"],"Image":"y","ImageID":"sha256:2","Labels":null,"State":"stopped"}]
            """#
        try await ScriptedEngine.run { _ in
            [.answer(200, list)]
        } _: { engine, server async throws in
            #expect(
                try await engine.containers(label: "io.x&y") == [
                    EngineContainer(
                        id: containerID,
                        name: "app",
                        image: "app:1",
                        imageID: "sha256:1",
                        labels: ["a": "b"],
                        state: .running,
                        health: .healthy,
                        networks: ["7_front": "abc", "7_back": ""]
                    ),
                    EngineContainer(id: "2", name: "x", image: "y", imageID: "sha256:2", labels: [:], state: .exited),
                ]
            )
            #expect(
                server.calls == [
                    "GET /v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22io.x%26y%22%5D%7D"
                ]
            )
        }
    }

    @Test(
        "knows the health of a container that runs",
        arguments: [
            ("running", "Up 2 minutes", "none", ContainerHealth.none),
            ("running", "Up 2 minutes (healthy)", "healthy", .healthy),
            ("running", "Up 2 minutes (unhealthy)", "unhealthy", .unhealthy),
            ("running", "Up Less than a second (health: starting)", "starting", .starting),
            ("running", "Up 2 minutes (dancing)", "dancing", .none),
            ("paused", "Up 2 minutes (Paused)", "healthy", .none),
            ("exited", "Exited (0) 2 seconds ago", "unhealthy", .none),
            ("restarting", "Restarting (1) 2 seconds ago", "starting", .none),
        ]
    )
    func health(state: String, status: String, word: String, expected: ContainerHealth) async throws {
        let entry = #"{"Id":"1","Image":"i","ImageID":"s","State":"\#(state)","Status":"\#(status)"}"#
        let detail = #"""
            {"Id":"1","Name":"/app","Image":"s","State":{"Status":"\#(state)","Health":{"Status":"\#(word)","Log":[]}},
             "Config":{"Image":"i"},"NetworkSettings":{"Networks":{"host":{"NetworkID":"abc"}}}}
            """#
        try await ScriptedEngine.run { request in
            [.answer(200, request.target.hasPrefix("/containers/json") ? "[\(entry)]" : detail)]
        } _: { engine, _ async throws in
            #expect(try await engine.containers(label: "x").map(\.health) == [expected])
            let inspected = try #require(try await engine.inspect(container: "1"))
            #expect(inspected.container.health == expected)
            #expect(inspected.container.networks == ["host": "abc"])
        }
    }

    @Test(
        "calls a list malformed that is none",
        arguments: [
            "", "{}", "[1]", "[{}]", "[", #"[{"Id":"1","Image":"i","ImageID":"s","State":"dancing"}]"#, "\u{FF}",
        ]
    )
    func malformedList(body: String) async throws {
        try await ScriptedEngine.run { _ in
            [.answer(200, body)]
        } _: { engine, _ async throws in
            let code = await code { () throws(EngineError) in try await engine.containers(label: "x") }
            #expect(code == .malformedAnswer)
        }
    }

    @Test("refuses an answer of more than a mebibyte")
    func oversize() async throws {
        let body = "\"" + String(repeating: "x", count: 1 << 20) + "\""
        try await ScriptedEngine.run { _ in
            [.answer(200, body)]
        } _: { engine, _ async throws in
            #expect(
                await code { () throws(EngineError) in try await engine.inspect(container: "a") } == .malformedAnswer
            )
        }
    }

    @Test(
        "inspects a container",
        arguments: [
            ("running", 0, nil), ("exited", 0, 0), ("exited", 137, 137), ("restarting", 1, 1), ("created", 0, nil),
            ("created", 127, 127),
        ] as [(String, Int, Int?)]
    )
    func inspect(state: String, written: Int, exitCode: Int?) async throws {
        let answer = #"""
            {"Id":"\#(containerID)","Name":"/app","Image":"sha256:1","RestartCount":3,
             "State":{"Status":"\#(state)","ExitCode":\#(written),"Error":"no such file"},
             "Config":{"Image":"app:1","Labels":{"a":"b"},"Env":["A=1","B=2"]}}
            """#
        try await ScriptedEngine.run { _ in
            [.answer(200, answer)]
        } _: { engine, _ async throws in
            let detail = try #require(try await engine.inspect(container: "app"))
            #expect(detail.container.id == containerID)
            #expect(detail.container.name == "app")
            #expect(detail.container.image == "app:1")
            #expect(detail.container.imageID == "sha256:1")
            #expect(detail.container.labels == ["a": "b"])
            #expect(detail.container.state.rawValue == state)
            #expect(detail.environment == ["A=1", "B=2"])
            #expect(detail.exitCode == exitCode)
            #expect(detail.restartCount == 3)
            #expect(detail.error == "no such file")
        }
    }

    @Test("creates a container under its name and returns the id")
    func create() async throws {
        try await ScriptedEngine.run { _ in
            [.answer(201, #"{"Id":"\#(containerID)","Warnings":["careful"]}"#)]
        } _: { engine, server async throws in
            let specification = ContainerSpecification(name: "app", image: "app:1")
            #expect(try await engine.create(specification) == containerID)
            #expect(server.calls == ["POST /v1.41/containers/create?name=app"])
            let request = try #require(server.requests.last)
            #expect(request.body == specification.createBody.text)
            #expect(request.text.contains("\r\nContent-Type: application/json\r\n"))
        }
    }

    /// Two networks more than the engine takes with the container itself.
    private static let connected: ContainerSpecification = {
        var specification = ContainerSpecification(name: "app", image: "app:1")
        specification.networks = ["a", "b", "c"].map { .init(network: $0, aliases: ["web"]) }
        return specification
    }()

    @Test("puts a container on all of its networks before it is there")
    func connects() async throws {
        try await ScriptedEngine.run { request in
            [.answer(200, request.target.hasPrefix("/containers/create") ? #"{"Id":"\#(containerID)"}"# : "")]
        } _: { engine, server async throws in
            #expect(try await engine.create(Self.connected) == containerID)
            #expect(
                server.calls == [
                    "POST /v1.41/containers/create?name=app", "POST /v1.41/networks/b/connect",
                    "POST /v1.41/networks/c/connect",
                ]
            )
            #expect(
                server.requests.last?.body
                    == #"{"Container":"\#(containerID)","EndpointConfig":{"Aliases":["web"]}}"#
            )
        }
    }

    @Test("removes a container again that cannot be put on one of its networks", arguments: [204, 500])
    func unconnected(removal: Int) async throws {
        try await ScriptedEngine.run { request in
            switch request.target {
            case "/networks/c/connect": return [.answer(404, #"{"message":"network c not found"}"#)]
            case "/containers/\(containerID)?v=1&force=0": return [.answer(removal)]
            default: return [.answer(200, #"{"Id":"\#(containerID)"}"#)]
            }
        } _: { engine, server async throws in
            let error = await #expect(throws: EngineError.self) { try await engine.create(Self.connected) }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains("to network c: network c not found") == true)
            #expect(server.calls.last == "DELETE /v1.41/containers/\(containerID)?v=1&force=0")
        }
    }

    @Test("removes a container again whose creation is cancelled half way", .timeLimit(.minutes(1)))
    func cancelledConnect() async throws {
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await ScriptedEngine.run { request in
            if request.target == "/networks/b/connect" {
                continuation.yield()
                return [.hang]
            }
            return [.answer(200, #"{"Id":"\#(containerID)"}"#)]
        } _: { engine, server async throws in
            let task = Task {
                await code { () throws(EngineError) in try await engine.create(Self.connected) }
            }
            for await _ in begun { break }
            task.cancel()
            #expect(await task.value == .cancelled)
            #expect(server.calls.last == "DELETE /v1.41/containers/\(containerID)?v=1&force=0")
        }
    }

    @Test("never sends a name that could change the request")
    func injection() async throws {
        try await ScriptedEngine.run { _ in
            [.answer(200, "{}")]
        } _: { engine, server async throws in
            let name = "a/../../images/b?x"
            #expect(await code { () throws(EngineError) in try await engine.inspect(container: name) } == .invalid)
            #expect(await code { () throws(EngineError) in try await engine.start(container: name) } == .invalid)
            #expect(await code { () throws(EngineError) in try await engine.remove(container: name) } == .invalid)
            #expect(await code { () throws(EngineError) in try await engine.gateway(network: name) } == .invalid)
            #expect(await code { () throws(EngineError) in try await engine.remove(network: name) } == .invalid)
            #expect(
                await code { () throws(EngineError) in
                    try await engine.create(NetworkSpecification(name: name, bridge: "b"))
                } == .invalid
            )
            #expect(
                await code { () throws(EngineError) in try await engine.create(VolumeSpecification(name: name)) }
                    == .invalid
            )
            #expect(
                await code { () throws(EngineError) in
                    try await engine.logs(container: name, tail: 1, since: nil, follow: false) { _ in }
                } == .invalid
            )
            var specification = ContainerSpecification(name: "app", image: "x")
            specification.networks = [.init(network: "fine"), .init(network: name)]
            #expect(await code { () throws(EngineError) in try await engine.create(specification) } == .invalid)
            #expect(await code { () throws(EngineError) in try await engine.image("a/../b") } == .invalid)
            #expect(await code { () throws(EngineError) in try await engine.remove(image: "a?force=1") } == .invalid)
            #expect(server.requests.isEmpty)
        }
    }

    @Test(
        "takes what is so already for done, and what is refused for an error",
        arguments: [
            (204, nil, nil, nil), (304, nil, nil, .malformedAnswer), (404, .notFound, .notFound, nil),
            (409, .conflict, .conflict, .conflict), (500, .failed, .failed, .failed),
        ] as [(Int, EngineError.Code?, EngineError.Code?, EngineError.Code?)]
    )
    func changes(
        status: Int,
        start: EngineError.Code?,
        stop: EngineError.Code?,
        remove: EngineError.Code?
    ) async throws {
        try await ScriptedEngine.run { _ in
            [.answer(status)]
        } _: { engine, server async throws in
            #expect(await code { () throws(EngineError) in try await engine.start(container: "a") } == start)
            #expect(
                await code { () throws(EngineError) in try await engine.stop(container: "a", timeout: .zero) } == stop
            )
            #expect(await code { () throws(EngineError) in try await engine.remove(container: "a") } == remove)
            #expect(await code { () throws(EngineError) in try await engine.remove(image: "r:5000/b/c:1") } == remove)
            #expect(
                server.calls == [
                    "POST /v1.41/containers/a/start", "POST /v1.41/containers/a/stop?t=0",
                    "DELETE /v1.41/containers/a?v=1&force=0", "DELETE /v1.41/images/r:5000/b/c:1?force=0&noprune=0",
                ]
            )
        }
    }

    @Test(
        "gives a stop the time that it takes, and no more",
        arguments: [
            (Duration.milliseconds(1500), "?t=2", 1500), (nil, "", 1000),
        ] as [(Duration?, String, Int)]
    )
    func stopTimeout(timeout: Duration?, query: String, milliseconds: Int) async throws {
        var timeouts = EngineTimeouts()
        timeouts.stopMargin = .milliseconds(200)
        try await ScriptedEngine.run(timeouts: timeouts) { request in
            request.method == "POST" ? [.hang] : [.answer(200, #"{"Config":{"StopTimeout":1}}"#)]
        } _: { engine, server async throws in
            let clock = ContinuousClock()
            let start = clock.now
            let code = await code { () throws(EngineError) in try await engine.stop(container: "a", timeout: timeout) }
            #expect(code == .timeout)
            #expect(clock.now - start >= .milliseconds(milliseconds + 200))
            #expect(server.calls.last == "POST /v1.41/containers/a/stop" + query)
        }
    }

    // MARK: Images and networks

    @Test("inspects an image by any reference")
    func image() async throws {
        let answer = #"{"Id":"sha256:1","RepoTags":["a:1"],"RepoDigests":null}"#
        try await ScriptedEngine.run {
            $0.target.contains("none") ? [.answer(404)] : [.answer(200, answer)]
        } _: {
            engine,
            server async throws in
            #expect(
                try await engine.image("localhost:5000/a/b:1")
                    == EngineImage(id: "sha256:1", tags: ["a:1"], digests: [])
            )
            #expect(try await engine.image("none") == nil)
            #expect(try await engine.image("a@sha256:\(containerID)") != nil)
            #expect(
                server.calls == [
                    "GET /v1.41/images/localhost:5000/a/b:1/json", "GET /v1.41/images/none/json",
                    "GET /v1.41/images/a@sha256:\(containerID)/json",
                ]
            )
        }
    }

    @Test("asks for the gateway of a network")
    func gateway() async throws {
        try await ScriptedEngine.run { request in
            request.target == "/networks/bridge"
                ? [.answer(200, #"{"IPAM":{"Config":[{"Subnet":"172.17.0.0/16"}]}}"#)] : [.answer(404)]
        } _: { engine, _ async throws in
            #expect(try await engine.gateway(network: "bridge") == "172.17.0.1")
            #expect(await code { () throws(EngineError) in try await engine.gateway(network: "other") } == .notFound)
        }
    }
}

/// The event loop as a task's preferred executor.
private final class LoopPreference: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
