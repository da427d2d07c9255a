import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// Roll-back and hand-over, against an engine in memory.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorRollBackTests {
    private static func target(_ image: String, commit: String, _ labels: JSONObject) -> JSONValue {
        Sample.target((1, Sample.app(image, commit: commit, ["labels": .object(labels)])))
    }

    private static let judged: JSONObject = ["io.supervisor.healthy-after": "10"]

    /// A device whose first release is known to be good.
    private static func run(
        _ labels: JSONObject = judged,
        _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async {
        await Bench.run(target: target("app:1", commit: "c1", labels)) { bench in
            await bench.advance(.seconds(11))
            bench.engine.forgetCalls()
            try await body(bench)
        }
    }

    @Test func `a release that ends gives way to the last good one`() async {
        await Self.run { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.judged))
            #expect(bench.container(1).image == "app:2")
            await bench.advance(.seconds(3))
            bench.engine.forgetCalls()
            bench.engine.emit(bench.container(1).id, "die", 7)
            await bench.advance(.seconds(2))
            #expect(bench.engine.calls == ["create 1/main", "stop 1/main", "start 1/main", "remove 1/main"])
            #expect(bench.container(1).image == "app:1")
            #expect(bench.environment(1)["RESIN_APP_RELEASE"] == "c1")
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.device("update_pending") == false)
            let error = await bench.device("update_error")?.stringValue ?? ""
            #expect(
                error
                    == "Release c2 of service main of application 1 was rolled back to c1: its process ended with 7 after "
                    + "3 s. It is tried again when the target changes"
            )
        }
    }

    @Test func `it is not tried again, across a restart too, until the target changes`() async {
        await Self.run { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.judged))
            bench.engine.die(bench.container(1).id)
            await bench.advance(.seconds(5))
            #expect(bench.container(1).image == "app:1")
            bench.engine.forgetCalls()
            await bench.advance(.seconds(300))
            await bench.restartSupervisor()
            await bench.advance(.seconds(300))
            #expect(bench.engine.calls == [])
            #expect(await bench.device("update_failed") == true)
            await bench.change(target: Self.target("app:2", commit: "c3", Self.judged))
            #expect(bench.environment(1)["RESIN_APP_RELEASE"] == "c3")
            await bench.advance(.seconds(11))
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `a release whose check fails gives way`() async throws {
        await Self.run { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.judged))
            let index = try #require(bench.engine.containers.firstIndex { $0.image == "app:2" })
            bench.engine.containers[index].health = .unhealthy
            bench.engine.emit(bench.engine.containers[index].id, "health_status")
            await bench.advance(.seconds(2))
            #expect(bench.container(1).image == "app:1")
        }
    }

    @Test func `a release that does not start gives way`() async {
        await Self.run { bench in
            let error = EngineError(.failed, "exec: no such file")
            bench.engine.refuseStart = { $0.image == "app:2" ? error : nil }
            await bench.change(target: Self.target("app:2", commit: "c2", Self.judged))
            await bench.advance(.seconds(5))
            #expect(bench.container(1).image == "app:1")
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_error")?.stringValue?.utf8.count ?? 0 > 50)
        }
    }

    @Test func `a release of which only the first container does not start stays`() async {
        await Self.run { bench in
            bench.engine.fail(.start, EngineError(.conflict, "task 1 already exists"))
            await bench.change(target: Self.target("app:2", commit: "c2", Self.judged))
            await bench.advance(.seconds(30))
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `a good one stays, and the image before it goes only then`() async {
        await Self.run { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.judged))
            #expect(bench.engine.images == ["app:1", "app:2"])
            await bench.advance(.seconds(11))
            #expect(bench.container(1).image == "app:2")
            #expect(bench.engine.images == ["app:2"])
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `without the label nothing of the kind happens`() async {
        await Self.run([:]) { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", [:]))
            bench.engine.die(bench.container(1).id)
            await bench.advance(.seconds(60))
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `the first release has nothing to give way to`() async {
        await Bench.run(target: Self.target("app:1", commit: "c1", Self.judged)) { bench in
            bench.engine.die(bench.container(1).id)
            await bench.advance(.seconds(60))
            #expect(bench.container(1).image == "app:1")
            #expect(bench.container(1).state == .running)
        }
    }

    // MARK: Hand-over

    private static let handOver: JSONObject = [
        "io.balena.update.strategy": "hand-over", "io.balena.update.handover-timeout": "5000",
    ]

    private static func images(_ bench: Bench) -> Set<String> {
        Set(bench.engine.containers.filter(\.state.isAlive).map(\.image))
    }

    @Test func `the old container runs until the new one has taken over`() async {
        await Self.run(Self.handOver) { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            #expect(bench.engine.calls == ["pull app:2", "create 1/main", "start 1/main"])
            #expect(Self.images(bench) == ["app:1", "app:2"])
            #expect(await bench.device("update_pending") == true)
            #expect(await bench.device("update_failed") == false)
            await bench.advance(.seconds(2))
            #expect(Self.images(bench) == ["app:1", "app:2"])
            // The lock of the new one, which shares the directory, stays its own.
            bench.lock(1)
            TestFile.write("", bench.lockPath(1, "handover-complete"))
            bench.watcher.changed(bench.lockPath(1, "handover-complete"))
            await bench.settle()
            #expect(Self.images(bench) == ["app:2"])
            #expect(TestFile.exists(bench.lockPath(1)))
            #expect(await bench.device("update_pending") == false)
        }
    }

    @Test func `the old container goes when the time is up`() async {
        await Self.run(Self.handOver) { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            await bench.advance(.milliseconds(4900))
            #expect(Self.images(bench) == ["app:1", "app:2"])
            await bench.advance(.milliseconds(200))
            #expect(Self.images(bench) == ["app:2"])
        }
    }

    @Test func `a successor that never ran and does not start is made again beside the one that runs`() async {
        await Self.run(Self.handOver) { bench in
            bench.engine.fail(.start, EngineError(.conflict, "task 1 already exists"))
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            #expect(Self.images(bench) == ["app:1"])
            bench.engine.forgetCalls()
            await bench.advance(.milliseconds(500))
            #expect(bench.engine.calls == ["remove 1/main", "create 1/main", "start 1/main"])
            #expect(Self.images(bench) == ["app:1", "app:2"])
        }
    }

    @Test func `what an earlier hand-over left does not count`() async {
        await Self.run(Self.handOver) { bench in
            TestFile.write("", bench.lockPath(1, "handover-complete"))
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            #expect(Self.images(bench) == ["app:1", "app:2"])
        }
    }

    @Test func `a lock keeps the hand-over from beginning`() async {
        await Self.run(Self.handOver) { bench in
            bench.lock(1)
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            #expect(bench.engine.calls == ["pull app:2"])
            await bench.unlock(1)
            #expect(Self.images(bench) == ["app:1", "app:2"])
        }
    }

    @Test func `the new container starts without a lock of ours beside it`() async {
        await Self.run(Self.handOver) { bench in
            var seen = false
            bench.engine.onStart = { _ in if TestFile.exists(bench.lockPath(1)) { seen = true } }
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            #expect(Self.images(bench) == ["app:1", "app:2"])
            #expect(!seen)
        }
    }

    @Test func `a hand-over goes on after a restart of the supervisor`() async {
        await Self.run(Self.handOver) { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            await bench.restartSupervisor()
            #expect(Self.images(bench) == ["app:1", "app:2"])
            await bench.advance(.seconds(6))
            #expect(Self.images(bench) == ["app:2"])
        }
    }

    @Test func `a successor that fails goes, and the old container was never stopped`() async {
        var labels = Self.handOver
        labels["io.supervisor.healthy-after"] = "10"
        let all = labels
        await Self.run(all) { bench in
            let old = bench.container(1).id
            await bench.change(target: Self.target("app:2", commit: "c2", all))
            let new = bench.engine.containers.first { $0.image == "app:2" }?.id ?? ""
            bench.engine.emit(new, "die", 1)
            await bench.advance(.seconds(2))
            #expect(bench.container(1).id == old)
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_failed") == true)
        }
    }

    @Test func `the old container runs until the release of the new one is known to be good`() async {
        var labels = Self.handOver
        labels["io.supervisor.healthy-after"] = "10"
        let all = labels
        await Self.run(all) { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", all))
            TestFile.write("", bench.lockPath(1, "handover-complete"))
            bench.watcher.changed(bench.lockPath(1, "handover-complete"))
            await bench.advance(.seconds(9))
            #expect(Self.images(bench) == ["app:1", "app:2"])
            await bench.advance(.seconds(2))
            #expect(Self.images(bench) == ["app:2"])
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `a target that goes back in the middle keeps the container that was never stopped`() async {
        await Self.run(Self.handOver) { bench in
            let old = bench.container(1).id
            await bench.change(target: Self.target("app:2", commit: "c2", Self.handOver))
            #expect(Self.images(bench) == ["app:1", "app:2"])
            await bench.change(target: Self.target("app:1", commit: "c1", Self.handOver))
            #expect(bench.engine.containers.map(\.id) == [old])
            #expect(!bench.engine.calls.contains("start 1/main") || bench.container(1).state == .running)
            #expect(await bench.device("update_pending") == false)
        }
    }

    @Test func `with delete-then-download the old image goes before the download`() async {
        let labels: JSONObject = ["io.balena.update.strategy": "delete-then-download"]
        await Self.run(labels) { bench in
            await bench.change(target: Self.target("app:2", commit: "c2", labels))
            #expect(
                bench.engine.calls == [
                    "create 1/?", "remove 1/?", "stop 1/main", "remove 1/main", "remove image app:1", "pull app:2",
                    "create 1/main", "start 1/main",
                ]
            )
        }
    }
}
