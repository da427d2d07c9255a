import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// The update cycle from end to end, against an engine in memory.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorUpdateTests {
    private static let one = Sample.target((1, Sample.app("app:1")))
    private static let killFirst: KeyValuePairs<String, JSONValue> = [
        "labels": ["io.resin.update.strategy": "kill-then-download"]
    ]

    @Test func `an application is installed from nothing`() async {
        await Bench.run { bench in
            await bench.start(target: Self.one)
            #expect(bench.engine.calls == ["pull app:1", "create 1/main", "start 1/main"])
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_pending") == false)
            #expect(await bench.device("update_failed") == false)
            #expect(await bench.device("status") == "Idle")
        }
    }

    @Test func `without a target what runs goes on`() async {
        await Bench.run { bench in
            await bench.start()
            #expect(bench.engine.calls == [])
            #expect(await bench.supervisor.target == nil)
        }
    }

    @Test func `what is as wanted is left alone at every poll`() async {
        await Bench.run(target: Self.one) { bench in
            await bench.advance(.seconds(300))
            #expect(bench.engine.calls == [])
        }
    }

    @Test func `by default the new image is there before the old container stops`() async {
        await Bench.run(target: Self.one) { bench in
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            #expect(
                bench.engine.calls == [
                    "pull app:2", "create 1/main", "stop 1/main", "start 1/main", "remove 1/main", "remove image app:1",
                ]
            )
            #expect(await bench.device("commit") == "c2")
        }
    }

    @Test func `with kill-then-download the old container goes before the download`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1", Self.killFirst)))) { bench in
            await bench.change(target: Sample.target((1, Sample.app("app:2", Self.killFirst))))
            #expect(
                bench.engine.calls == [
                    "create 1/?", "remove 1/?", "stop 1/main", "pull app:2", "create 1/main", "start 1/main",
                    "remove 1/main", "remove image app:1",
                ]
            )
        }
    }

    @Test func `a change of a variable alone downloads nothing`() async {
        await Bench.run(target: Self.one) { bench in
            await bench.change(target: Sample.target((1, Sample.app("app:1", ["environment": ["A": "1"]]))))
            #expect(bench.engine.calls == ["create 1/main", "stop 1/main", "start 1/main", "remove 1/main"])
            #expect(bench.environment(1)["A"] == "1")
        }
    }

    @Test func `a removed application is stopped and removed, with the image that we pulled`() async {
        await Bench.run(target: Self.one) { bench in
            await bench.change(target: Sample.target())
            #expect(bench.engine.calls == ["stop 1/main", "remove 1/main", "remove image app:1"])
            #expect(bench.engine.containers == [])
        }
    }

    @Test func `a service that is not to run is made and not started, and started when it is to run`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1", ["running": false])))) { bench in
            #expect(bench.container(1).state == .created)
            await bench.change(target: Self.one)
            #expect(bench.engine.calls == ["start 1/main"])
            bench.engine.forgetCalls()
            await bench.change(target: Sample.target((1, Sample.app("app:1", ["running": false]))))
            #expect(bench.engine.calls == ["stop 1/main"])
            #expect(bench.container(1).state == .exited)
        }
    }

    @Test func `containers of others are never touched`() async {
        await Bench.run { bench in
            let id = bench.engine.add(ContainerSpecification(name: "theirs", image: "x:1"), .exited)
            await bench.start(target: Self.one)
            await bench.change(target: Sample.target())
            #expect(bench.engine.containers.map(\.id) == [id])
        }
    }

    // MARK: Images

    @Test func `an image that we did not pull stays`() async {
        await Bench.run { bench in
            bench.engine.images = ["app:1"]
            await bench.start(target: Self.one)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.engine.images == ["app:1", "app:2"])
        }
    }

    @Test func `an image that is in use elsewhere stays and is tried again after the next success`() async {
        await Bench.run(target: Self.one) { bench in
            let other = bench.engine.add(ContainerSpecification(name: "theirs", image: "app:1"), .running)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.engine.images == ["app:1", "app:2"])
            #expect(await bench.device("update_failed") == false)
            bench.engine.containers.removeAll { $0.id == other }
            await bench.advance(.seconds(61))
            #expect(bench.engine.images == ["app:2"])
        }
    }

    @Test func `which images are ours outlives the supervisor`() async {
        await Bench.run(target: Self.one) { bench in
            await bench.restartSupervisor()
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.engine.images == ["app:2"])
        }
    }

    // MARK: Failures

    @Test func `a failed download leaves the application running, is told, and is tried again`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.fail(.pull, EngineError(.failed, "manifest unknown"))
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            #expect(bench.engine.calls == ["pull app:2"])
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.device("update_pending") == true)
            #expect(await bench.device("update_downloaded") == false)
            #expect(await bench.device("update_error") == "manifest unknown")
            #expect(await bench.device("status") == "Idle")
            #expect(await bench.device("commit") == "c1")
            await bench.advance(.milliseconds(500))
            #expect(await bench.device("update_failed") == false)
            #expect(await bench.device("commit") == "c2")
        }
    }

    @Test func `a failing update is tried again ever more rarely`() async {
        await Bench.run(target: Self.one) { bench in
            for _ in 0..<1000 { bench.engine.fail(.pull, EngineError(.failed, "no route to host")) }
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            await bench.advance(.seconds(10))
            let early = bench.engine.calls.count
            #expect((5...8).contains(early))
            await bench.advance(.seconds(600))
            #expect((10...32).contains(bench.engine.calls.count - early), "between 30 and 60 s each, after a while")
        }
    }

    @Test func `what fails for one application keeps no other from its update`() async {
        await Bench.run(target: Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1")))) { bench in
            bench.engine.fail(.pull, EngineError(.failed, "manifest unknown"))
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:2"))))
            #expect(bench.container(1).image == "a:1")
            #expect(bench.container(2).image == "b:2")
            #expect(await bench.device("update_failed") == true)
        }
    }

    @Test func `a container that cannot be made is tried again without a download`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.fail(.create, EngineError(.invalid, "no such device"))
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(await bench.device("update_failed") == true)
            bench.engine.forgetCalls()
            await bench.advance(.milliseconds(500))
            #expect(
                bench.engine.calls == [
                    "create 1/main", "stop 1/main", "start 1/main", "remove 1/main", "remove image app:1",
                ]
            )
        }
    }

    /// As after an engine that was killed while it started a container: that one never starts again.
    private static let stuck = EngineError(.conflict, "task 1 already exists")

    @Test func `a container that never ran and does not start is made again`() async {
        await Bench.run { bench in
            bench.engine.fail(.start, Self.stuck)
            await bench.start(target: Self.one)
            await bench.advance(.seconds(1))
            let remake = ["remove 1/main", "create 1/main", "start 1/main"]
            #expect(bench.engine.calls == ["pull app:1", "create 1/main", "start 1/main"] + remake)
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `the former container runs again where its successor does not start, and makes way for it later`() async
    {
        await Bench.run(target: Self.one) { bench in
            let former = bench.container(1).id
            bench.engine.refuseStart = { $0.image == "app:2" ? Self.stuck : nil }
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.container(1).id == former)
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.device("update_error")?.stringValue?.utf8.count ?? 0 > 10)
            bench.engine.forgetCalls()
            await bench.advance(.seconds(9))
            #expect(bench.engine.calls == [], "each attempt interrupts the application")
            bench.engine.refuseStart = { _ in nil }
            await bench.advance(.seconds(12))
            #expect(bench.container(1).image == "app:2")
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `one that was made again is only started again, until there is another release`() async {
        await Bench.run { bench in
            bench.engine.fail(.start, Self.stuck, Self.stuck, Self.stuck, Self.stuck)
            await bench.start(target: Self.one)
            await bench.advance(.seconds(60))
            #expect(bench.engine.calls.count { $0 == "start 1/main" } >= 5)
            #expect(bench.engine.calls.count { $0 == "create 1/main" } == 2)
        }
    }

    @Test func `a container that has run is never made again for a failed start`() async {
        await Bench.run(target: Self.one) { bench in
            let id = bench.container(1).id
            bench.engine.change(id, .exited)
            bench.engine.fail(.start, Self.stuck, Self.stuck)
            await bench.supervisor.requestUpdate(force: false)
            await bench.advance(.seconds(5))
            #expect(bench.engine.failuresLeft(.start) == 0)
            #expect(bench.container(1).id == id)
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `a bridge without a gateway fails that application only`() async {
        await Bench.run { bench in
            bench.engine.gateways = [:]
            await bench.start(
                target: Sample.target((1, Sample.app("a:1", ["network_mode": "bridge"])), (2, Sample.app("b:1")))
            )
            #expect(bench.container(2).state == .running)
            #expect(await bench.device("update_failed") == true)
            bench.engine.gateways = ["bridge": "172.18.0.1"]
            await bench.advance(.seconds(2))
            #expect(bench.environment(1)["RESIN_SUPERVISOR_ADDRESS"] == "http://172.18.0.1:48484")
        }
    }

    // MARK: Downloads

    @Test func `the progress of a download is shown while it lasts`() async {
        await Bench.run { bench in
            bench.engine.hold(.pull)
            await bench.start(target: Self.one)
            #expect(await bench.device("status") == "Downloading")
            #expect(await bench.device("download_progress") == 0)
            bench.engine.reportProgress(42.9)
            #expect(await bench.device("download_progress") == 42)
            bench.engine.release(.pull)
            await bench.settle()
            #expect(await bench.device("download_progress") == JSONValue.null)
            #expect(await bench.device("status") == "Idle")
        }
    }

    @Test func `a new target cancels a download that nobody wants any more, and is no failure`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.engine.isWaiting(in: .pull))
            await bench.change(target: Self.one)
            #expect(!bench.engine.isWaiting(in: .pull))
            #expect(bench.engine.calls == ["pull app:2"])
            #expect(await bench.device("update_failed") == false)
            #expect(await bench.device("update_pending") == false)
            #expect(await bench.supervisor.cycle.failures == 0)
        }
    }

    @Test func `a new image is downloaded at once in the place of the one that is not wanted`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            await bench.change(target: Sample.target((1, Sample.app("app:3"))))
            #expect(bench.engine.calls == ["pull app:2", "pull app:3"])
            #expect(await bench.device("update_failed") == false)
            #expect(await bench.supervisor.cycle.failures == 0)
            bench.engine.release(.pull)
            await bench.settle()
            #expect(bench.container(1).image == "app:3")
        }
    }

    @Test func `a new target that still wants the image does not cancel its download`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c3"))))
            #expect(bench.engine.calls == ["pull app:2"])
            bench.engine.release(.pull)
            await bench.settle()
            #expect(await bench.device("commit") == "c3")
        }
    }

    @Test func `a long download keeps no other application from starting`() async {
        await Bench.run(target: Sample.target((2, Sample.app("b:1")))) { bench in
            bench.engine.hold(.pull)
            bench.engine.die(bench.container(2).id)
            await bench.change(target: Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1"))))
            #expect(bench.engine.isWaiting(in: .pull))
            #expect(bench.container(2).state == .running)
        }
    }

    // MARK: Containers that end

    @Test func `a container that somebody stopped is started again soon`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.die(bench.container(1).id, exitCode: 137)
            await bench.advance(.seconds(1))
            #expect(bench.engine.calls == ["start 1/main"])
        }
    }

    @Test func `a container that somebody removed is made anew soon`() async {
        await Bench.run(target: Self.one) { bench in
            let container = bench.container(1)
            bench.engine.containers = []
            bench.engine.emit(container.id, "destroy", labels: container.labels)
            await bench.advance(.seconds(1))
            #expect(bench.engine.calls == ["create 1/main", "start 1/main"])
        }
    }

    @Test func `a crash loop asks the engine at most once a second`() async {
        await Bench.run(target: Self.one) { bench in
            let id = bench.container(1).id
            for _ in 0..<50 {
                bench.engine.die(id)
                await bench.advance(.milliseconds(100))
            }
            #expect(bench.engine.calls.count <= 6)
            let status = await bench.supervisor.status()
            let service = status["apps"]?.arrayValue?.first?["services"]?.arrayValue?.first
            #expect(service?["crashLooping"] == true)
            #expect(service?["exitCode"] == 1)
        }
    }

    @Test func `a job that has ended by its own policy stays so until the device boots`() async {
        await Bench.run(target: Sample.target((1, Sample.app("job:1", ["restart": "no"])))) { bench in
            bench.engine.die(bench.container(1).id, exitCode: 0)
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == [])
            await bench.restartSupervisor(bootID: "boot-2")
            #expect(bench.engine.calls == ["start 1/main"])
        }
    }

    @Test func `a job is run once after a boot however often the update of another application fails`() async {
        let target = Sample.target((1, Sample.app("job:1", ["restart": "no"])), (2, Sample.app("b:1")))
        await Bench.run { bench in
            bench.engine.images = ["job:1"]
            for _ in 0..<20 { bench.engine.fail(.pull, EngineError(.failed, "no route to host")) }
            await bench.start(target: target)
            for _ in 0..<5 {
                bench.engine.die(bench.container(1).id, exitCode: 0)
                await bench.advance(.seconds(20))
            }
            #expect(bench.engine.calls.count { $0 == "start 1/main" } == 1)
        }
    }

    @Test func `of two containers of one service the one that fits stays, and keeps its lock`() async {
        await Bench.run(target: Self.one) { bench in
            let kept = bench.container(1)
            bench.lock(1)
            var old = ContainerSpecification(name: "main_1_another", image: "app:0")
            old.labels = kept.labels
            old.labels[ContainerLabel.configuration] = "another"
            bench.engine.add(old, .exited)
            await bench.supervisor.requestUpdate(force: false)
            await bench.settle()
            #expect(bench.container(1).id == kept.id)
            #expect(TestFile.exists(bench.lockPath(1)), "its container never stopped")
        }
    }
}
