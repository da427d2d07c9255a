import Glibc
import SupervisorCore
import Testing

@testable import SupervisorEngine

@Suite("A real engine", .enabled(if: RealEngine.socket != nil), .serialized, .timeLimit(.minutes(5)))
struct RealEngineTests {
    @Test("says what it is")
    func ping() async throws {
        let information = try await RealEngine.engine.ping()
        #expect(["docker", "podman", "balena-engine"].contains(information.name))
        #expect(information.version.contains("."))
        #expect(EngineAPIVersion(information.apiVersion) != nil)
    }

    @Test("takes a container from its creation to its removal, and tells the events")
    func lifecycle() async throws {
        try await RealEngine.run("life") { engine, image async throws in
            let (events, continuation) = AsyncStream.makeStream(
                of: EngineEvent.self,
                bufferingPolicy: .bufferingNewest(64)
            )
            let following = Task {
                await code { () throws(EngineError) in
                    try await engine.events(label: RealEngine.label) { continuation.yield($0) }
                }
            }
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .connected)

            var specification = RealEngine.specification("life", image: image, "sleep", "1000")
            specification.environment = ["B": "2", "A": "1=ä"]
            specification.stopTimeout = 1
            let id = try await engine.create(specification)
            #expect(id.utf8.count == 64)

            let created = try #require(try await engine.inspect(container: specification.name))
            #expect(created.container.id == id)
            #expect(created.container.name == specification.name)
            #expect(created.container.image == image)
            #expect(created.container.state == .created)
            #expect(created.container.labels[RealEngine.label] == RealEngine.mark)
            #expect(created.environment.prefix(2) == ["A=1=ä", "B=2"])
            #expect(created.exitCode == nil)

            try await engine.start(container: id)
            try await engine.start(container: id)
            let running = try await engine.containers(label: RealEngine.label).filter { $0.id == id }
            #expect(running.map(\.state) == [.running])
            #expect(running.map(\.imageID) == [created.container.imageID])
            #expect(await code { () throws(EngineError) in try await engine.remove(container: id) } == .conflict)
            #expect(await code { () throws(EngineError) in try await engine.create(specification) } == .conflict)
            #expect(await code { () throws(EngineError) in try await engine.remove(image: image) } == .conflict)

            // PID 1 without a handler ignores SIGTERM: the container's own second passes, then it is killed.
            let start = ContinuousClock.now
            try await engine.stop(container: id, timeout: nil)
            #expect(ContinuousClock.now - start >= .seconds(1))
            try await engine.stop(container: id, timeout: .seconds(1))
            let stopped = try #require(try await engine.inspect(container: id))
            #expect(stopped.container.state == .exited)
            #expect(stopped.exitCode == 137)

            try await engine.remove(container: id)
            try await engine.remove(container: id)
            #expect(try await engine.inspect(container: id) == nil)
            #expect(await code { () throws(EngineError) in try await engine.start(container: id) } == .notFound)
            let absent = await code { () throws(EngineError) in try await engine.stop(container: id, timeout: nil) }
            #expect(absent == .notFound)

            var seen: [String] = []
            while seen.last != "destroy",
                case .container(id, let action, let exitCode, let labels)? = await iterator.next()
            {
                seen.append(action)
                #expect(labels[RealEngine.label] == RealEngine.mark)
                #expect(exitCode == (action == "die" ? 137 : nil))
            }
            #expect(["create", "start", "die", "destroy"].allSatisfy(seen.contains))
            following.cancel()
            #expect(await following.value == .cancelled)
        }
    }

    @Test("tells of a program that is not there")
    func badCommand() async throws {
        try await RealEngine.run("bad") { engine, image async throws in
            var specification = RealEngine.specification("bad", image: image)
            specification.entrypoint = ["/absent"]
            let id = try await engine.create(specification)
            #expect(await code { () throws(EngineError) in try await engine.start(container: id) } == .invalid)
            let detail = try #require(try await engine.inspect(container: id))
            #expect(detail.container.state == .created)
            #expect(detail.exitCode == 127)
            #expect(!detail.error.isEmpty)
        }
    }

    @Test("never makes a path of the host that is missing: not at the creation, not at a start")
    func missingBind() async throws {
        try await RealEngine.run("bind") { engine, image async throws in
            let path = "/tmp/\(RealEngine.mark):bind"
            var specification = RealEngine.specification("bind", image: image, "test", "-d", "/there")
            specification.binds = [.init(source: path, target: "/there", readOnly: true)]
            #expect(await code { () throws(EngineError) in try await engine.create(specification) } == .invalid)

            #expect(mkdir(path, 0o700) == 0)
            let id = try await engine.create(specification)
            rmdir(path)
            #expect(await code { () throws(EngineError) in try await engine.start(container: id) } != nil)
            #expect(access(path, F_OK) == -1)

            #expect(mkdir(path, 0o700) == 0)
            defer { rmdir(path) }
            try await engine.start(container: id)
            try await engine.stop(container: id, timeout: .seconds(5))
            #expect(try await engine.inspect(container: id)?.exitCode == 0)
        }
    }

    @Test("knows images by name, and forgets them")
    func images() async throws {
        try await RealEngine.run("image") { engine, name async throws in
            let image = try #require(try await engine.image(name))
            #expect(image.id.hasPrefix("sha256:"))
            #expect(image.tags.contains { $0.hasSuffix(name) })
            #expect(try await engine.image(image.id) == image)
            try await engine.remove(image: name)
            #expect(try await engine.image(name) == nil)
            try await engine.remove(image: name)
            let missing = RealEngine.specification("image", image: name)
            #expect(await code { () throws(EngineError) in try await engine.create(missing) } == .notFound)
        }
    }

    @Test("fails to download from a registry that is not there")
    func closedRegistry() async throws {
        let engine = try RealEngine.engine
        let progress = Collected<Double>()
        let error = await #expect(throws: EngineError.self) {
            try await engine.pull("127.0.0.1:1/absent:1", credentials: nil) { progress.append($0) }
        }
        #expect(error?.code == .failed)
        #expect(error?.message.contains("refused") == true)
        #expect(progress.all.allSatisfy { $0 == 0 })
    }

    @Test("downloads an image", .enabled(if: RealEngine.remoteImage != nil))
    func pull() async throws {
        let engine = try RealEngine.engine
        let name = try #require(RealEngine.remoteImage)
        try await engine.remove(image: name)
        let progress = Collected<Double>()
        try await engine.pull(name, credentials: nil) { progress.append($0) }
        #expect(progress.all.count > 2)
        #expect(progress.all.first == 0)
        #expect(progress.all.last == 100)
        #expect(progress.all == progress.all.sorted())
        let image = try #require(try await engine.image(name))
        let digest = try #require(image.digests.first)

        // By digest and again: nothing to download, and still done.
        try await engine.pull(digest, credentials: nil) { _ in }
        #expect(try await engine.image(digest)?.id == image.id)
        #expect(await code { () throws(EngineError) in try await engine.pull(name + "-absent", credentials: nil) { _ in } } == .notFound)
        try await engine.remove(image: name)
    }

    @Test("tells of a network that is not there, and of one without a gateway")
    func networks() async throws {
        let engine = try RealEngine.engine
        let absent = "\(RealEngine.mark)-absent"
        #expect(await code { () throws(EngineError) in try await engine.gateway(network: absent) } == .notFound)
        if try await engine.ping().name != "podman" {
            #expect(try await engine.gateway(network: "none") == nil)
        }
    }
}
