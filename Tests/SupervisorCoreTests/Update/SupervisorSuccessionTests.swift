import Glibc
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// Nothing is taken away before its successor has been accepted.
struct SupervisorSuccessionTests {
    private static func target(_ image: String, commit: String, _ members: KeyValuePairs<String, JSONValue> = [:])
        -> JSONValue
    {
        Sample.target((1, Sample.app(image, commit: commit, members)))
    }

    private static let refused = EngineError(.invalid, "invalid capability: NET_ADMN")

    @Test(arguments: [false, true], UpdateStrategy.allCases)
    func `a release that the engine does not make leaves the former one running`(
        isJudged: Bool,
        strategy: UpdateStrategy
    ) async {
        var all: JSONObject = ["io.balena.update.strategy": .string(strategy.rawValue)]
        if isJudged { all["io.supervisor.healthy-after"] = "5" }
        let labels = JSONValue.object(all)
        let members: KeyValuePairs<String, JSONValue> = ["labels": labels]
        await Bench.run(target: Self.target("app:1", commit: "c1", members)) { bench in
            await bench.advance(.seconds(6))
            let former = bench.container(1).id
            bench.engine.refuseCreate = { $0.environment["BAD"] != nil ? Self.refused : nil }
            let bad: KeyValuePairs<String, JSONValue> = ["labels": labels, "environment": ["BAD": "1"]]
            await bench.change(target: Self.target("app:2", commit: "c2", bad))
            await bench.advance(.seconds(90))
            #expect(bench.container(1).id == former)
            #expect(bench.container(1).state == .running)
            #expect(!bench.engine.calls.contains("stop 1/main"))
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.device("update_error")?.stringValue?.utf8.count ?? 0 > 10)
            await bench.change(target: Self.target("app:2", commit: "c3", members))
            await bench.advance(.seconds(70))
            #expect(bench.engine.containers.contains { $0.image == "app:2" && $0.state == .running })
        }
    }

    @Test
    func `what kill-then-download has stopped runs again where the download fails, and is not stopped each minute`()
        async
    {
        let label: KeyValuePairs<String, JSONValue> = ["labels": ["io.balena.update.strategy": "kill-then-download"]]
        await Bench.run(target: Self.target("app:1", commit: "c1", label)) { bench in
            let former = bench.container(1).id
            for _ in 0..<20 { bench.engine.fail(.pull, EngineError(.unreachable, "no route to host")) }
            await bench.change(target: Self.target("app:2", commit: "c2", label))
            #expect(bench.container(1).id == former)
            #expect(bench.container(1).state == .running)
            await bench.advance(.seconds(600))
            #expect(bench.container(1).state == .running)
            #expect(bench.engine.calls.count { $0 == "stop 1/main" } <= 5)
        }
    }

    @Test func `a supervisor that was killed after the stop goes on with the successor, or back to the former one`()
        async
    {
        await Bench.run(target: Self.target("app:1", commit: "c1")) { bench in
            let former = bench.container(1).id
            bench.engine.images.insert("app:2")
            bench.engine.refuseStart = { $0.image == "app:2" ? EngineError(.failed, "no such device") : nil }
            bench.engine.hold(.start)
            await bench.change(target: Self.target("app:2", commit: "c2"))
            #expect(bench.engine.containers.count == 2)
            #expect(bench.engine.containers.allSatisfy { !$0.state.isAlive })
            bench.engine.release(.start)
            await bench.restartSupervisor()
            await bench.advance(.seconds(5))
            #expect(bench.container(1).id == former)
            #expect(bench.container(1).state == .running)
        }
    }

    // MARK: Networks

    private static func networked(subnet: String?, commit: String = "c1") -> JSONValue {
        var back: JSONObject = [:]
        if let subnet { back["ipam"] = ["config": [["subnet": .string(subnet)]]] }
        return Sample.target(
            (
                1,
                Sample.wholeApp(
                    commit: commit,
                    ["a": ["networks": ["back"]], "b": ["networks": ["back"]]],
                    networks: ["back": .object(back)]
                )
            )
        )
    }

    @Test func `a network whose new addresses another one has is left with its containers`() async {
        await Bench.run(target: Self.networked(subnet: nil)) { bench in
            let before = Set(bench.engine.containers.map(\.id))
            let network = bench.engine.networks[0].id
            bench.engine.networks.append(EngineNetwork(id: "x", name: "lan", labels: [:], subnets: ["10.9.0.0/16"]))
            await bench.change(target: Self.networked(subnet: "10.9.8.0/24", commit: "c2"))
            await bench.advance(.seconds(70))
            #expect(Set(bench.engine.containers.map(\.id)) == before)
            #expect(bench.engine.containers.allSatisfy { $0.state == .running })
            #expect(bench.engine.networks.contains { $0.id == network })
            #expect(!bench.engine.calls.contains { $0.hasPrefix("stop") })
            let error = await bench.device("update_error")?.stringValue ?? ""
            #expect(error.contains("10.9.0.0/16") && error.contains("lan") && error.contains("1_back"), "\(error)")
        }
    }

    @Test func `a network that the engine refuses after all is made as it was, and the containers run on`() async {
        await Bench.run(target: Self.networked(subnet: "10.1.0.0/24")) { bench in
            let before = Set(bench.engine.containers.map(\.id))
            var refusals = 0
            bench.engine.onCall = { call in
                // The trial is the first.
                guard call == "create network 1_back" else { return }
                refusals += 1
                if refusals == 1 { bench.engine.fail(.createNetwork, EngineError(.failed, "no more bridges")) }
            }
            await bench.change(target: Self.networked(subnet: "10.2.0.0/24", commit: "c2"))
            #expect(refusals > 0)
            #expect(Set(bench.engine.containers.map(\.id)) == before)
            #expect(bench.engine.containers.allSatisfy { $0.state == .running })
            #expect(bench.engine.networks.map(\.subnets) == [["10.1.0.0/24"]])
            await bench.advance(.seconds(70))
            #expect(bench.engine.networks.map(\.subnets) == [["10.2.0.0/24"]])
            #expect(bench.engine.containers.count == 2)
            #expect(bench.engine.containers.allSatisfy { $0.state == .running })
        }
    }

    @Test func `two networks may exchange their addresses`() async {
        @Sendable func target(_ one: String, _ two: String, _ commit: String) -> JSONValue {
            func network(_ subnet: String) -> JSONValue { ["ipam": ["config": [["subnet": .string(subnet)]]]] }
            return Sample.target(
                (
                    1,
                    Sample.wholeApp(
                        commit: commit,
                        ["a": ["networks": ["one", "two"]]],
                        networks: ["one": network(one), "two": network(two)]
                    )
                )
            )
        }
        await Bench.run(target: target("10.1.0.0/24", "10.2.0.0/24", "c1")) { bench in
            await bench.change(target: target("10.2.0.0/24", "10.1.0.0/24", "c2"))
            #expect(bench.engine.networks.first { $0.name == "1_one" }?.subnets == ["10.2.0.0/24"])
            #expect(bench.engine.networks.count == 2)
            #expect(bench.container(1).state == .running)
        }
    }

    // MARK: Several services

    private static func services(_ names: [String], commit: String) -> JSONValue {
        let services = names.map { ($0, JSONObject()) }
        var objects: JSONObject = [:]
        for (index, (name, _)) in services.enumerated() {
            objects[String(index + 1)] = ["serviceName": .string(name), "image": .string("\(name.prefix(1)):1")]
        }
        return Sample.target(
            (1, ["name": "whole", "commit": .string(commit), "releaseId": 7, "services": .object(objects)])
        )
    }

    private static func names(_ bench: Bench) -> [String] {
        bench.engine.containers.filter(\.state.isAlive).compactMap { $0.labels[ContainerLabel.service] }.sorted()
    }

    @Test func `with the lock of one service held, a renamed one of the same application stays as it is`() async {
        await Bench.run(target: Self.services(["a", "b"], commit: "c1")) { bench in
            let lock = bench.directories.locks(of: ServiceKey(app: AppID(1), service: "a")) + "/updates.lock"
            TestFile.write("", lock)
            await bench.change(target: Self.services(["a", "b2"], commit: "c2"))
            await bench.advance(.seconds(10))
            #expect(Self.names(bench) == ["a", "b"])
            #expect(bench.engine.containers.count == 2, "not even made")
            unlink(lock)
            bench.watcher.changed(lock)
            await bench.advance(.seconds(5))
            #expect(Self.names(bench) == ["a", "b2"])
            #expect(bench.engine.containers.count == 2)
        }
    }

    @Test func `a renamed service does not start before the former one has stopped`() async throws {
        await Bench.run(target: Self.services(["a", "b"], commit: "c1")) { bench in
            bench.engine.onStart = { _ in #expect(!Self.names(bench).contains("b")) }
            await bench.change(target: Self.services(["a", "b2"], commit: "c2"))
            #expect(bench.engine.calls == ["create 1/b2", "stop 1/b", "start 1/b2", "remove 1/b"])
        }
    }

    @Test(arguments: [true, false])
    func `a renamed service that is refused leaves the former one running`(atCreate: Bool) async {
        await Bench.run(target: Self.services(["a", "b"], commit: "c1")) { bench in
            func refuse(_ specification: ContainerSpecification) -> EngineError? {
                specification.labels[ContainerLabel.service] == "b2" ? Self.refused : nil
            }
            if atCreate { bench.engine.refuseCreate = refuse } else { bench.engine.refuseStart = refuse }
            await bench.change(target: Self.services(["a", "b2"], commit: "c2"))
            #expect(Self.names(bench) == ["a", "b"])
            #expect(await bench.device("update_failed") == true)
            bench.engine.refuseCreate = { _ in nil }
            bench.engine.refuseStart = { _ in nil }
            await bench.advance(.seconds(70))
            #expect(Self.names(bench) == ["a", "b2"])
            #expect(bench.engine.containers.count == 2)
        }
    }

    // MARK: Handing over

    @Test func `a lock that is taken while the update waits for its turn is honoured by a hand-over`() async {
        let label: KeyValuePairs<String, JSONValue> = ["labels": ["io.balena.update.strategy": "hand-over"]]
        await Bench.run(target: Self.target("app:1", commit: "c1", label)) { bench in
            bench.engine.images.insert("app:2")
            bench.engine.hold(.stop)
            let restart = bench.call { try await $0.restart(AppID(1), force: false) }
            await bench.settle()
            await bench.change(target: Self.target("app:2", commit: "c2", label))
            bench.engine.onStart = { if $0.image == "app:1" { bench.lock(1) } }
            bench.engine.release(.stop)
            await bench.settle()
            #expect(restart.error == nil && restart.result != nil)
            await bench.advance(.seconds(90))
            #expect(bench.engine.containers.filter(\.state.isAlive).map(\.image) == ["app:1"])
            #expect(TestFile.exists(bench.lockPath(1)))
        }
    }

    @Test(arguments: [
        #""ports":["8080:80"],"labels":{"io.balena.update.strategy":"hand-over"}"#,
        #""ports":["127.0.0.1:8080:80/udp"],"labels":{"io.resin.update.strategy":"hand-over"}"#,
    ])
    func `a hand-over of a published port is refused when it is read`(members: String) {
        let error = #expect(throws: TargetError.self) { try Sample.parse(Sample.document(service: members)) }
        #expect(error?.place == "apps.1.services.5.ports")
    }

    @Test func `a hand-over of a port that the engine chooses is none of one that both need`() throws {
        _ = try Sample.parse(
            Sample.document(service: #""ports":["80"],"labels":{"io.balena.update.strategy":"hand-over"}"#)
        )
    }

    // MARK: What is not ours

    @Test func `a container of an image made of ours is left alone, and takes nothing from ours`() async {
        await Bench.run(target: Self.target("app:1", commit: "c1")) { bench in
            let ours = bench.container(1)
            var copy = ContainerSpecification(name: "wizardly_noether", image: "copy:1")
            copy.labels = ours.labels
            let id = bench.engine.add(copy, .running)
            bench.engine.emit(id, "start")
            bench.engine.emit(id, "die", 1)
            await bench.advance(.seconds(65))
            #expect(bench.engine.containers.first { $0.id == ours.id }?.state == .running)
            #expect(bench.engine.containers.first { $0.id == id }?.state == .running)
            #expect(bench.engine.calls == [])
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            #expect(bench.engine.containers.contains { $0.id == id })
            #expect(bench.engine.containers.count == 2)
        }
    }

    @Test func `a name that somebody else has taken keeps no service from running`() async {
        await Bench.run(target: Self.target("app:1", commit: "c1")) { bench in
            let name = bench.container(1).name
            bench.engine.containers = []
            bench.engine.add(ContainerSpecification(name: name, image: "x:1"), .running)
            await bench.supervisor.requestUpdate(force: false)
            await bench.settle()
            let own = bench.engine.containers.first { $0.labels[ContainerLabel.app] == "1" }
            #expect(own?.state == .running)
            #expect(own?.name == name + "_2")
            bench.engine.forgetCalls()
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == [])
        }
    }

    @Test func `a volume that was restored by hand is used as it is`() async {
        await Bench.run { bench in
            bench.engine.volumes = [EngineVolume(name: "1_store", labels: [:])]
            await bench.start(
                target: Sample.target((1, Sample.wholeApp(["a": ["volumes": ["store:/s"]]], volumes: ["store": [:]])))
            )
            await bench.advance(.seconds(70))
            #expect(!bench.engine.calls.contains { $0.hasPrefix("create volume") })
            #expect(bench.container(1).state == .running)
            let volumes = try await bench.answer { try await $0.volumes() }
            #expect(volumes.arrayValue?.first?["state"] == "in use")
        }
    }

    // MARK: Once a boot, and stopped for good

    @Test func `a one-shot runs once in a boot, however often the supervisor starts`() async {
        await Bench.run(target: Self.target("job:1", commit: "c1", ["restart": "no"])) { bench in
            for _ in 0..<4 {
                if bench.container(1).state == .running { bench.engine.die(bench.container(1).id, exitCode: 0) }
                await bench.restartSupervisor()
                await bench.advance(.seconds(65))
            }
            #expect(!bench.engine.calls.contains("start 1/main"))
            bench.engine.forgetCalls()
            await bench.restartSupervisor(bootID: "boot-2")
            await bench.advance(.seconds(5))
            #expect(bench.engine.calls == ["start 1/main"])
        }
    }

    @Test func `what a technician stops stays stopped until it is started, updated, or the device boots`() async {
        let members: KeyValuePairs<String, JSONValue> = ["restart": "unless-stopped"]
        await Bench.run(target: Self.target("app:1", commit: "c1", members)) { bench in
            func stop() async {
                let id = bench.container(1).id
                bench.engine.die(id, exitCode: 143)
                bench.engine.emit(id, "stop")
                await bench.advance(.seconds(65))
                #expect(bench.container(1).state == .exited)
            }
            await stop()
            await bench.restartSupervisor()
            await bench.advance(.seconds(65))
            #expect(bench.container(1).state == .exited)
            _ = try await bench.answer { try await $0.start(AppID(1)) }
            #expect(bench.container(1).state == .running)
            await stop()
            await bench.change(target: Self.target("app:1", commit: "c2", members))
            #expect(bench.container(1).state == .running)
            await stop()
            await bench.restartSupervisor(bootID: "boot-2")
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `a process that ends by itself is started again with the same policy`() async {
        await Bench.run(target: Self.target("app:1", commit: "c1", ["restart": "unless-stopped"])) { bench in
            bench.engine.die(bench.container(1).id, exitCode: 1)
            await bench.advance(.seconds(5))
            #expect(bench.container(1).state == .running)
        }
    }
}
