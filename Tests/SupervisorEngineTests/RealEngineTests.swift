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
                case .container(id, let action, let exitCode, let labels, _)? = await iterator.next()
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
            #expect(
                try await RealEngine.eventually { try await engine.inspect(container: id)?.container.state == .exited }
            )
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
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("nothing answers at the registry 127.0.0.1:1: ") == true)
        #expect(error?.message.contains("refused") == true)
        #expect(progress.all.allSatisfy { $0 == 0 })
    }

    @Test("downloads an image")
    func pull() async throws {
        let engine = try RealEngine.engine
        let name = try RealEngine.remoteImage
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
        let absent = await code { () throws(EngineError) in
            try await engine.pull(name + "-absent", credentials: nil) { _ in }
        }
        #expect(absent == .notFound)
        try await engine.remove(image: name)
    }

    /// At most 15 characters.
    private static func bridge(_ number: Int) -> String { "svt\(getpid() % 100_000)-\(number)" }

    private static func network(_ name: String, _ number: Int) -> NetworkSpecification {
        var specification = NetworkSpecification(name: "\(RealEngine.mark)-\(name)", bridge: bridge(number))
        specification.labels = [RealEngine.label: RealEngine.mark, "name": name]
        return specification
    }

    @Test("makes networks with bridges of our names, and puts containers on several of them")
    func ownNetworks() async throws {
        try await RealEngine.run("networks") { engine, image async throws in
            var front = Self.network("front", 0)
            front.subnets = [.init(subnet: "10.213.7.0/24", gateway: "10.213.7.1", range: "10.213.7.128/25")]
            var back = Self.network("back", 1)
            back.isInternal = true
            let frontID = try await engine.create(front)
            let backID = try await engine.create(back)
            let listed = try await engine.networks(label: RealEngine.label).sorted { $0.name < $1.name }
            #expect(listed.map(\.id) == [backID, frontID])
            #expect(listed.map(\.name) == [back.name, front.name])
            #expect(listed.map(\.bridge) == [back.bridge, front.bridge])
            #expect(listed.map(\.labels) == [back.labels, front.labels])
            #expect(listed.last?.gateway == "10.213.7.1")
            #expect(listed.first?.gateway != nil)
            #expect(try await engine.gateway(network: front.name) == "10.213.7.1")
            #expect(if_nametoindex(front.bridge) > 0)

            #expect(await code { () throws(EngineError) in try await engine.create(front) } == .conflict)
            let sameBridge = Self.network("other", 0)
            #expect(await code { () throws(EngineError) in try await engine.create(sameBridge) } == .conflict)

            var server = RealEngine.specification("server", image: image, "sleep", "1000")
            server.stopTimeout = 0
            server.networkMode = front.name
            server.networks = [
                .init(network: front.name, aliases: ["web"], ipv4Address: "10.213.7.9"),
                .init(network: back.name, aliases: ["inner"]),
            ]
            let serverID = try await engine.create(server)
            let created = try #require(try await engine.containers(label: RealEngine.label).first { $0.id == serverID })
            #expect(Set(created.networks.keys) == [front.name, back.name])
            try await engine.start(container: serverID)
            let running = try #require(try await engine.inspect(container: serverID)).container
            #expect(running.networks == [front.name: frontID, back.name: backID])

            // Each network has names of its own; the fixed address is the one that the name stands for.
            for (network, name, isThere) in [
                (front.name, "web", true), (back.name, "inner", true), (back.name, "web", false),
            ] {
                var client = RealEngine.specification("client", image: image, "ping", "-c", "1", "-W", "5", name)
                client.networkMode = network
                client.networks = [.init(network: network)]
                let id = try await engine.create(client)
                try await engine.start(container: id)
                var detail: EngineContainerDetail?
                _ = try await RealEngine.eventually {
                    detail = try await engine.inspect(container: id)
                    return detail?.container.state == .exited
                }
                let lines = Collected<String>()
                try await engine.logs(container: id, tail: 100, since: nil, follow: false) { lines.append($0.text) }
                #expect((detail?.exitCode == 0) == isThere, "\(name) on \(network): \(lines.all)")
                if name == "web", isThere { #expect(lines.all.first?.contains("10.213.7.9") == true) }
                try await engine.remove(container: id)
            }

            #expect(await code { () throws(EngineError) in try await engine.remove(network: frontID) } == .conflict)
            try await engine.stop(container: serverID, timeout: .zero)
            try await engine.remove(container: serverID)
            try await engine.remove(network: frontID)
            try await engine.remove(network: frontID)
            try await engine.remove(network: back.name)
            #expect(try await engine.networks(label: RealEngine.label).isEmpty)
            #expect(if_nametoindex(front.bridge) == 0)
        }
    }

    @Test("leaves no container that cannot be put on one of its networks")
    func refusedNetwork() async throws {
        try await RealEngine.run("refused") { engine, image async throws in
            _ = try await engine.create(Self.network("there", 2))
            var specification = RealEngine.specification("refused", image: image, "sleep", "1000")
            specification.networks = [
                .init(network: "\(RealEngine.mark)-there"), .init(network: "none", aliases: ["nobody"]),
            ]
            #expect(await code { () throws(EngineError) in try await engine.create(specification) } != nil)
            #expect(try await engine.inspect(container: specification.name) == nil)
        }
    }

    @Test("starts no container whose network is not there")
    func missingNetwork() async throws {
        try await RealEngine.run("lack") { engine, image async throws in
            var specification = RealEngine.specification("lack", image: image, "sleep", "1000")
            let absent = "\(RealEngine.mark)-absent"
            specification.networks = [.init(network: "none"), .init(network: absent)]
            // Docker looks for a network when the container starts, others may do it at once.
            do throws(EngineError) {
                try await engine.start(container: try await engine.create(specification))
                Issue.record("a container runs without its network")
            } catch {
                #expect(error.code == .notFound)
                #expect(error.message.contains(absent))
            }
        }
    }

    @Test("makes a volume once, with its labels, and lists it")
    func volumes() async throws {
        try await RealEngine.run("volumes") { engine, image async throws in
            var specification = VolumeSpecification(name: "\(RealEngine.mark)-cache")
            specification.labels = [RealEngine.label: RealEngine.mark]
            try await engine.create(specification)
            try await engine.create(specification)
            let expected = EngineVolume(name: specification.name, labels: specification.labels)
            #expect(try await engine.volumes(label: RealEngine.label) == [expected])

            // What one container writes is there for the next one, also after its anonymous volumes are removed.
            for command in [["touch", "/v/there"], ["test", "-e", "/v/there"]] {
                var container = RealEngine.specification("volume", image: image)
                container.command = command
                container.binds = [.init(source: specification.name, target: "/v")]
                let id = try await engine.create(container)
                try await engine.start(container: id)
                #expect(
                    try await RealEngine.eventually {
                        try await engine.inspect(container: id)?.container.state == .exited
                    }
                )
                #expect(try await engine.inspect(container: id)?.exitCode == 0)
                try await engine.remove(container: id)
            }
            #expect(try await engine.volumes(label: RealEngine.label) == [expected])
        }
    }

    @Test("tells what a container wrote, the last lines first or as they come", arguments: [false, true])
    func logs(tty: Bool) async throws {
        try await RealEngine.run("logs") { engine, image async throws in
            let script = """
                for n in 1 2 3; do echo line $n; done; echo bad >&2; /busybox sleep 1; echo ä; printf rest
                """
            var specification = RealEngine.specification("logs", image: image, "sh", "-c", script)
            specification.terminal = tty
            let id = try await engine.create(specification)
            try await engine.start(container: id)

            let followed = Collected<EngineLogLine>()
            try await engine.logs(container: id, tail: 1000, since: nil, follow: true) { followed.append($0) }
            let texts = ["line 1", "line 2", "line 3", "bad", "ä", "rest"]
            // Docker 20.10 may end the stream before what has no end of line.
            let lines = followed.all.filter { $0.text != "rest" }
            #expect(lines.map(\.text).sorted() == texts.dropLast().sorted())
            #expect(lines.filter { !$0.isError }.map(\.text) == texts.dropLast().filter { tty || $0 != "bad" })
            #expect(followed.all.contains(EngineLogLine(isError: true, text: "bad")) == !tty)

            let last = Collected<String>()
            try await engine.logs(container: id, tail: 2, since: nil, follow: false) { last.append($0.text) }
            #expect(last.all == ["ä", "rest"])
            try await engine.logs(container: id, tail: 0, since: nil, follow: false) { _ in
                Issue.record("no line was asked for")
            }
        }
    }

    @Test("follows the lines of a container that is silent, until nobody wants them")
    func silentLogs() async throws {
        try await RealEngine.run("silent") { engine, image async throws in
            let specification = RealEngine.specification("silent", image: image, "sh", "-c", "echo one; sleep 1000")
            let id = try await engine.create(specification)
            try await engine.start(container: id)
            let (lines, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
            let task = Task {
                await code { () throws(EngineError) in
                    try await engine.logs(container: id, tail: 10, since: nil, follow: true) {
                        continuation.yield($0.text)
                    }
                }
            }
            for await line in lines {
                #expect(line == "one")
                break
            }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    @Test("tells the health of a container, and each change of it")
    func health() async throws {
        let check = #"HEALTHCHECK --interval=1s --retries=1 CMD ["/busybox","test","-e","/healthy"]"#
        try await RealEngine.run("health", healthCheck: check) { engine, image async throws in
            _ = try await engine.ping()
            let (events, continuation) = AsyncStream.makeStream(
                of: EngineEvent.self,
                bufferingPolicy: .bufferingNewest(256)
            )
            let following = Task {
                await code { () throws(EngineError) in
                    try await engine.events(label: RealEngine.label) { continuation.yield($0) }
                }
            }
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .connected)
            var actions: Set<String> = []

            let script = "echo >/healthy; /busybox sleep 3; /busybox rm /healthy; /busybox sleep 1000"
            let id = try await engine.create(RealEngine.specification("health", image: image, "sh", "-c", script))
            #expect(try await engine.inspect(container: id)?.container.health == ContainerHealth.none)
            try await engine.start(container: id)
            var seen: [ContainerHealth] = [try await listed(engine, id)]
            while seen.last != .unhealthy, let event = await iterator.next() {
                if case .container(id, let action, _, _, _) = event { actions.insert(action) }
                guard case .container(id, "health_status", nil, let labels, _) = event else { continue }
                #expect(labels[RealEngine.label] == RealEngine.mark)
                seen.append(try await listed(engine, id))
                #expect(try await engine.inspect(container: id)?.container.health == seen.last)
            }
            #expect(seen == [.starting, .healthy, .unhealthy])
            // Not each run of the check.
            #expect(actions == ["create", "start", "health_status"])
            try await engine.stop(container: id, timeout: .zero)
            #expect(try await listed(engine, id) == .none)
            following.cancel()
            #expect(await following.value == .cancelled)
        }
    }

    private func listed(_ engine: DockerEngine, _ id: String) async throws -> ContainerHealth {
        try #require(try await engine.containers(label: RealEngine.label).first { $0.id == id }).health
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
