import Glibc
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// The update lock as applications and operators meet it.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorLockTests {
    private static let one = Sample.target((1, Sample.app("app:1")))
    private static let newer = Sample.target((1, Sample.app("app:2", commit: "c2")))
    private static let both = Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1")))
    private static let update = [
        "create 1/main", "stop 1/main", "start 1/main", "remove 1/main", "remove image app:1",
    ]

    @Test func `a locked update downloads, changes nothing, and is told`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Self.newer)
            #expect(bench.engine.calls == ["pull app:2"])
            #expect(bench.container(1).image == "app:1")
            #expect(await bench.device("update_pending") == true)
            #expect(await bench.device("update_downloaded") == true)
            await bench.advance(.seconds(300))
            #expect(bench.engine.calls == ["pull app:2"], "at no retry either")
            let lock = await bench.device("locks")?.arrayValue?.first
            #expect(lock?["appId"] == 1)
            #expect(lock?["service"] == "main")
            #expect(lock?["path"] == .string(bench.lockPath(1)))
            #expect(lock?["holder"] == .string("uid \(geteuid())"))
            #expect(lock?["since"]?.integerValue != nil)
        }
    }

    @Test func `an unlock applies the update at once, not at the next retry`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Self.newer)
            await bench.advance(.seconds(600))
            bench.engine.forgetCalls()
            await bench.unlock(1)
            #expect(bench.engine.calls == Self.update)
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `an unlock that the watcher did not tell is seen at the next retry`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Self.newer)
            unlink(bench.lockPath(1))
            await bench.advance(.seconds(2))
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test(arguments: ["updates.lock", "resin-updates.lock"])
    func `either name in the lock directory locks`(name: String) async {
        await Bench.run(target: Self.one) { bench in
            TestFile.write("", bench.lockPath(1, name))
            await bench.change(target: Self.newer)
            #expect(bench.container(1).image == "app:1")
            unlink(bench.lockPath(1, name))
            bench.watcher.changed(bench.lockPath(1, name))
            await bench.settle()
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `a lock in data locks, and goes with the container that made it`() async {
        await Bench.run(target: Self.one) { bench in
            let path = bench.files["data/1/resin-updates.lock"]
            TestFile.write("", path)
            await bench.change(target: Self.newer)
            #expect(bench.container(1).image == "app:1")
            await bench.supervisor.requestUpdate(force: true)
            await bench.settle()
            #expect(bench.container(1).image == "app:2")
            #expect(!TestFile.exists(path))
        }
    }

    @Test func `a lock of a container that has ended does not count`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.engine.change(bench.container(1).id, .exited)
            await bench.change(target: Self.newer)
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test(arguments: [ContainerState.paused, .restarting])
    func `a lock of a container that is paused or restarting counts`(state: ContainerState) async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.engine.change(bench.container(1).id, state)
            await bench.change(target: Self.newer)
            #expect(bench.container(1).image == "app:1")
        }
    }

    @Test func `force updates a locked application and takes its lock away after the stop`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Self.newer)
            bench.engine.forgetCalls()
            bench.engine.hold(.stop)
            await bench.supervisor.requestUpdate(force: true)
            await bench.settle()
            #expect(TestFile.exists(bench.lockPath(1)), "before the stop has succeeded the lock stays")
            bench.engine.release(.stop)
            await bench.settle()
            #expect(bench.engine.calls == Self.update)
            #expect(TestFile.names(bench.files["locks/1/main"]) == [])
        }
    }

    @Test func `a forced update whose stop fails leaves the lock, and the next one is not forced`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Self.newer)
            bench.engine.fail(.stop, EngineError(.failed, "cannot kill"))
            await bench.supervisor.requestUpdate(force: true)
            await bench.settle()
            #expect(TestFile.text(bench.lockPath(1)) == "", "it is still the application's")
            await bench.advance(.seconds(120))
            #expect(bench.container(1).image == "app:1")
        }
    }

    @Test func `force at the time of a download counts for that update`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.engine.hold(.pull)
            await bench.change(target: Self.newer)
            await bench.supervisor.requestUpdate(force: true)
            bench.engine.release(.pull)
            await bench.settle()
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test(arguments: ["RESIN_SUPERVISOR_OVERRIDE_LOCK", "BALENA_SUPERVISOR_OVERRIDE_LOCK"])
    func `the device's configuration overrides locks`(variable: String) async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(
                target: Sample.target(
                    (1, Sample.app("app:2")),
                    config: .object(JSONObject([(variable, JSONValue.string("1"))]))
                )
            )
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `an application's variable overrides its own lock and no other's`() async {
        let override: KeyValuePairs<String, JSONValue> = ["environment": ["RESIN_SUPERVISOR_OVERRIDE_LOCK": "true"]]
        await Bench.run(target: Sample.target((1, Sample.app("a:1", override)), (2, Sample.app("b:1")))) { bench in
            bench.lock(1)
            await bench.change(target: Sample.target((1, Sample.app("a:2", override)), (2, Sample.app("b:1"))))
            #expect(bench.container(1).image == "a:2")
            bench.lock(2)
            await bench.change(target: Sample.target((1, Sample.app("a:2", override)), (2, Sample.app("b:2"))))
            #expect(bench.container(2).image == "b:1")
        }
    }

    @Test func `of two applications to update one is locked: neither is touched`() async {
        await Bench.run(target: Self.both) { bench in
            bench.lock(2)
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:2"))))
            #expect(bench.engine.calls == ["pull a:2", "pull b:2"])
            await bench.unlock(2)
            #expect(bench.container(1).image == "a:2")
            #expect(bench.container(2).image == "b:2")
        }
    }

    @Test func `a lock of an application that stays as it is stands in nobody's way`() async {
        await Bench.run(target: Self.both) { bench in
            bench.lock(2)
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:1"))))
            #expect(bench.container(1).image == "a:2")
            #expect(TestFile.exists(bench.lockPath(2)))
        }
    }

    @Test func `an unlock is noticed at once although another application, which stays, is locked`() async {
        await Bench.run(target: Self.both) { bench in
            bench.lock(1)
            bench.lock(2)
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:1"))))
            await bench.advance(.seconds(600))
            await bench.unlock(1)
            #expect(bench.container(1).image == "a:2")
        }
    }

    @Test func `a new application is installed while another one is locked`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Sample.target((1, Sample.app("app:2")), (2, Sample.app("b:1"))))
            #expect(bench.container(2).state == .running)
            #expect(bench.container(1).image == "app:1")
        }
    }

    @Test func `a locked application is not removed, and its removal goes on after the unlock`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Sample.target())
            #expect(bench.container(1).state == .running)
            await bench.unlock(1)
            #expect(bench.engine.containers == [])
        }
    }

    @Test func `while an update stops a container nobody else gets the lock`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            await bench.change(target: Self.newer)
            #expect(TestFile.names(bench.files["locks/1/main"]) == ["resin-updates.lock", "updates.lock"])
            #expect(TestFile.names(bench.files["data/1"]) == ["resin-updates.lock"])
            #expect(await bench.device("locks") == [], "our own is nobody's lock")
            let directory = bench.files["locks/1/main"]
            let data = bench.files["data/1"]
            nonisolated(unsafe) var seen: [[String]] = []
            bench.engine.onStart = { _ in seen.append(TestFile.names(directory) + TestFile.names(data)) }
            bench.engine.release(.stop)
            await bench.settle()
            #expect(seen == [[]])
            #expect(TestFile.names(bench.files["locks/1"]) == [".spare-main", "main"], "the old directory is reaped")
        }
    }

    @Test func `an update of which a step fails gives the lock back`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.fail(.stop, EngineError(.failed, "cannot kill"))
            await bench.change(target: Self.newer)
            #expect(TestFile.names(bench.files["locks/1/main"]) == [])
            #expect(TestFile.names(bench.files["data/1"]) == [])
        }
    }

    @Test func `what a killed supervisor took is cleared at start, what an application took is not`() async {
        await Bench.run { bench in
            for path in ["locks/1/main", "data/1"] { TestFile.makeDirectories(bench.files[path]) }
            let own = "supervisor boot-1 \(String(repeating: "b", count: 32))\n"
            TestFile.write(own, bench.lockPath(1))
            TestFile.write("", bench.lockPath(1, "resin-updates.lock"))
            TestFile.write(own, bench.files["data/1/resin-updates.lock"])
            await bench.start()
            #expect(TestFile.names(bench.files["locks/1/main"]) == ["resin-updates.lock"])
            #expect(TestFile.names(bench.files["data/1"]) == [])
        }
    }

    @Test func `an unlock just before the watch is there is noticed`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            let path = bench.lockPath(1)
            bench.watcher.onWatch = { _ in unlink(path) }
            await bench.change(target: Self.newer)
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `no watch stays when nothing is locked any more`() async {
        await Bench.run(target: Self.one) { bench in
            let before = bench.watcher.directories
            bench.lock(1)
            await bench.change(target: Self.newer)
            #expect(bench.watcher.directories.count > before.count)
            await bench.unlock(1)
            #expect(bench.watcher.directories == before)
        }
    }

    // MARK: Waiting for an unlock

    @Test func `waiting for an unlock ends when the last lock is gone`() async {
        await Bench.run(target: Self.both) { bench in
            bench.lock(1)
            bench.lock(2)
            let waiting = bench.call { try await $0.waitUntilUnlocked() }
            await bench.advance(.seconds(5))
            await bench.unlock(1)
            await bench.advance(.seconds(5))
            #expect(waiting.result == nil)
            await bench.unlock(2)
            await bench.advance(.seconds(1))
            #expect(waiting.result != nil)
            #expect(waiting.error == nil)
        }
    }

    @Test func `who waits for an unlock and goes away stops waiting`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            let waiting = bench.call { try await $0.waitUntilUnlocked() }
            await bench.settle()
            waiting.task?.cancel()
            await bench.settle()
            #expect(waiting.error != nil)
        }
    }
}
