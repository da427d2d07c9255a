import Glibc
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// Applications of several services, against an engine in memory.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorAppsTests {
    private static func target(
        commit: String = "c1",
        webImage: String = "web:1",
        network: JSONValue = [:],
        more: JSONObject = [:]
    ) -> JSONValue {
        Sample.target(
            (
                1,
                Sample.wholeApp(
                    commit: commit,
                    [
                        "web": ["image": .string(webImage), "depends_on": ["db"], "networks": ["front", "back"]],
                        "db": JSONObject(
                            [("networks", ["back"]), ("volumes", ["rows:/rows"])] + more.map { ($0.name, $0.value) }
                        ),
                        "cache": ["networks": ["front"]],
                    ],
                    networks: ["front": [:], "back": network],
                    volumes: ["rows": [:]]
                )
            )
        )
    }

    @Test func `everything is made in the order in which it is needed`() async {
        await Bench.run { bench in
            await bench.start(target: Self.target())
            let calls = bench.engine.calls.filter { !$0.hasPrefix("pull") }
            #expect(
                calls == [
                    "create network 1_front", "create network 1_back", "create volume 1_rows",
                    "create 1/db", "start 1/db", "create 1/web", "start 1/web", "create 1/cache", "start 1/cache",
                ],
                "\(calls)"
            )
            #expect(bench.engine.networks.map(\.bridge) == ["supervisor0", "supervisor1"])
            #expect(await bench.device("update_pending") == false)
        }
    }

    @Test func `a service is on its networks under its name, and finds the API at the gateway of the first`()
        async throws
    {
        await Bench.run(target: Self.target()) { bench in
            let web = try #require(bench.engine.containers.first { $0.labels[ContainerLabel.service] == "web" })
            let specification = try #require(bench.engine.specifications[web.id])
            #expect(specification.networks.map(\.network) == ["1_front", "1_back"])
            #expect(specification.networks.map(\.aliases) == [["web"], ["web"]])
            let gateway = try #require(bench.engine.networks.first { $0.name == "1_front" }?.gateway)
            #expect(specification.environment["RESIN_SUPERVISOR_ADDRESS"] == "http://\(gateway):48484")
            let db = try #require(bench.engine.containers.first { $0.labels[ContainerLabel.service] == "db" })
            let binds = bench.engine.specifications[db.id]?.binds ?? []
            #expect(binds.contains { $0.source == "1_rows" && $0.target == "/rows" })
        }
    }

    @Test func `a release touches only the service that it changes`() async {
        await Bench.run(target: Self.target()) { bench in
            await bench.change(target: Self.target(commit: "c2", webImage: "web:2"))
            #expect(
                bench.engine.calls == [
                    "pull web:2", "create 1/web", "stop 1/web", "start 1/web", "remove 1/web", "remove image web:1",
                ]
            )
            #expect(await bench.device("commit") == "c2")
        }
    }

    @Test func `a release that changes nothing touches nothing, and is the one that runs`() async {
        await Bench.run(target: Self.target()) { bench in
            await bench.change(target: Self.target(commit: "c2"))
            #expect(bench.engine.calls == [])
            #expect(await bench.device("commit") == "c2")
        }
    }

    @Test func `a changed network is made anew with those that are on it, and nobody else is touched`() async {
        await Bench.run(target: Self.target()) { bench in
            let before = bench.engine.containers.first { $0.labels[ContainerLabel.service] == "cache" }?.id
            await bench.change(target: Self.target(network: ["internal": true]))
            let calls = bench.engine.calls
            #expect(
                calls == [
                    "create network trial_1_back", "remove network trial_1_back", "create 1/?", "remove 1/?",
                    "create 1/?",
                    "remove 1/?", "stop 1/web", "stop 1/db", "remove network 1_back", "create network 1_back",
                    "create 1/db", "create 1/web", "start 1/db", "remove 1/db", "start 1/web", "remove 1/web",
                ]
            )
            #expect(bench.engine.containers.first { $0.labels[ContainerLabel.service] == "cache" }?.id == before)
        }
    }

    @Test func `a removed application takes its networks with it and leaves its volumes`() async {
        await Bench.run(target: Self.target()) { bench in
            await bench.change(target: Sample.target())
            #expect(bench.engine.containers.isEmpty)
            #expect(bench.engine.networks.isEmpty)
            #expect(bench.engine.volumes.map(\.name) == ["1_rows"])
        }
    }

    @Test func `a network that cannot be removed is told and keeps nothing from its update`() async {
        await Bench.run(target: Self.target()) { bench in
            let conflict = EngineError(.conflict, "the network has active endpoints")
            bench.engine.fail(.removeNetwork, conflict, conflict)
            await bench.change(target: Sample.target())
            #expect(await bench.device("update_failed") == false)
            #expect(bench.engine.networks.count == 2)
            await bench.advance(.seconds(61))
            #expect(bench.engine.networks.isEmpty)
        }
    }

    @Test func `a service whose dependency does not start waits for it`() async {
        await Bench.run { bench in
            bench.engine.images = ["web:1", "db:1", "cache:1"]
            bench.engine.onStart = { specification in
                if specification.labels[ContainerLabel.service] == "db" {
                    bench.engine.fail(.start, EngineError(.failed, "no such file"))
                }
            }
            bench.engine.fail(.start, EngineError(.failed, "no such file"))
            await bench.start(target: Self.target())
            #expect(!bench.engine.calls.contains("start 1/web") || bench.engine.calls.contains("start 1/db"))
            #expect(await bench.device("update_failed") == true)
            await bench.advance(.seconds(5))
            #expect(bench.engine.containers.count == 3)
            #expect(bench.engine.containers.allSatisfy { $0.state == .running })
        }
    }

    @Test func `a download that fails keeps no service from its update whose dependency runs on`() async {
        await Bench.run(target: Self.target()) { bench in
            bench.engine.forgetCalls()
            let failure = EngineError(.failed, "manifest unknown")
            bench.engine.fail(.pull, failure, failure)
            await bench.change(target: Self.target(commit: "c2", webImage: "cache:1", more: ["image": "db:2"]))
            #expect(await bench.device("update_error") == "manifest unknown")
            #expect(bench.engine.calls.contains("start 1/web"))
            #expect(!bench.engine.calls.contains("stop 1/db"))
        }
    }

    @Test func `a service whose dependency cannot be made again is left as it is`() async {
        await Bench.run(target: Self.target()) { bench in
            bench.engine.forgetCalls()
            let failure = EngineError(.failed, "no space left")
            bench.engine.fail(.create, failure, failure)
            await bench.change(target: Self.target(commit: "c2", webImage: "cache:1", more: ["command": "new"]))
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.device("update_error") == "no space left")
            #expect(!bench.engine.calls.contains("stop 1/web"))
            await bench.advance(.seconds(10))
            #expect(bench.engine.containers.allSatisfy { $0.state == .running })
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `a network that cannot be made is told, and everything else goes on`() async {
        await Bench.run { bench in
            bench.engine.images = ["web:1", "db:1", "cache:1"]
            // The connection to the engine starts a second cycle at once.
            let failure = EngineError(.failed, "no address left")
            bench.engine.fail(.createNetwork, failure, EngineError(.failed, "other"), failure)
            await bench.start(target: Self.target())
            #expect(await bench.device("update_error") == "no address left")
            #expect(bench.engine.calls.contains("start 1/db"))
            #expect(!bench.engine.calls.contains("create 1/web"))
            await bench.advance(.seconds(5))
            #expect(bench.engine.containers.count == 3)
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `a container that is not on all of its networks is made again`() async throws {
        await Bench.run(target: Self.target()) { bench in
            let index = try #require(bench.engine.containers.firstIndex { $0.labels[ContainerLabel.service] == "web" })
            bench.engine.containers[index].networks["1_back"] = nil
            bench.engine.containers[index].state = .created
            await bench.supervisor.requestUpdate(force: false)
            await bench.settle()
            #expect(bench.engine.calls == ["create 1/web", "start 1/web", "remove 1/web"])
        }
    }

    @Test func `restart makes all containers again, those that others depend on first`() async throws {
        await Bench.run(target: Self.target()) { bench in
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            #expect(
                bench.engine.calls.filter { $0.hasPrefix("stop") }.last == "stop 1/db"
                    || bench.engine.calls[0] != "stop 1/db"
            )
            let starts = bench.engine.calls.filter { $0.hasPrefix("start") }
            #expect(Set(starts) == ["start 1/db", "start 1/web", "start 1/cache"])
            let db = try #require(starts.firstIndex(of: "start 1/db"))
            let web = try #require(starts.firstIndex(of: "start 1/web"))
            #expect(db < web)
            bench.engine.forgetCalls()
            await bench.supervisor.requestUpdate(force: false)
            await bench.settle()
            #expect(bench.engine.calls == [], "they are as the target wants them")
        }
    }

    @Test func `the lock of one service keeps the whole application as it is`() async throws {
        await Bench.run(target: Self.target()) { bench in
            let path = bench.directories.locks(of: ServiceKey(app: AppID(1), service: "cache")) + "/updates.lock"
            TestFile.write("", path)
            await bench.change(target: Self.target(commit: "c2", webImage: "web:2"))
            #expect(bench.engine.calls == ["pull web:2"], "downloading goes on")
            let error = try await bench.refusal { try await $0.purge(AppID(1), force: false) }
            #expect(error.code == .locked)
            unlink(path)
            bench.watcher.changed(path)
            await bench.settle()
            #expect(bench.engine.calls.contains("start 1/web"))
        }
    }

    @Test func `when an app's first service starts beside others nothing of ours is in its data`() async {
        await Bench.run(target: Self.target()) { bench in
            let path = bench.directories.data(of: AppID(1)) + "/resin-updates.lock"
            var seen = false
            bench.engine.onStart = { _ in if TestFile.exists(path) { seen = true } }
            await bench.change(target: Self.target(commit: "c2", webImage: "web:2"))
            #expect(bench.engine.calls.contains("start 1/web"))
            #expect(!seen)
        }
    }

    @Test func `a lost target is read back from containers and networks`() async {
        await Bench.run(target: Self.target(network: ["internal": true])) { bench in
            let networks = bench.engine.networks
            let recovered = TargetState.recovered(from: bench.engine.containers, networks: networks)
            let wanted = await bench.supervisor.target
            #expect(recovered[AppID(1)]?.isMultiService == true)
            for service in recovered[AppID(1)]?.services ?? [] {
                let other = wanted?[AppID(1)]?.services.first { $0.name == service.name }
                #expect(service.definition == other?.definition)
            }
            unlink(bench.targetFile)
            for name in ["target.json", "target.json.last"] { unlink(bench.files["state"] + "/" + name) }
            await bench.restartSupervisor()
            #expect(bench.engine.calls == [], "nothing would be made anew")
        }
    }
}
