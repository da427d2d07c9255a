import JSON
import Testing

@testable import SupervisorCore

/// What those who watch the device are told.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorEventTests {
    private static let one = Sample.target((1, Sample.app("app:1")))

    private static func watch(_ bench: Bench, _ maximumAge: Int64? = 0) async -> Watcher {
        Watcher(await bench.supervisor.events(maximumAge: maximumAge), bench)
    }

    @Test func `an installation is told from the target to its end`() async {
        await Bench.run { bench in
            await bench.start()
            let watcher = await Self.watch(bench)
            await bench.change(target: Self.one)
            await bench.advance(.seconds(2))
            #expect(
                watcher.names() == [
                    "target.changed", "download.began", "download.done", "container.created", "container.started",
                    "update.succeeded",
                ]
            )
        }
    }

    @Test func `an event says when, what and where`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            let id = bench.container(1).id
            bench.engine.die(id, exitCode: 3)
            await bench.settle()
            #expect(
                watcher.texts() == [
                    #"{"time":1700000000,"event":"container.died","appId":1,"service":"main","containerId":"\#(id)","exitCode":3}"#
                ]
            )
        }
    }

    @Test func `who comes later is told what was, as far back as he wants`() async {
        await Bench.run(target: Self.one) { bench in
            let all = await Self.watch(bench, nil)
            let none = await Self.watch(bench, 0)
            let some = await Self.watch(bench, 60)
            await bench.settle()
            #expect(all.names().contains("engine.connected"))
            #expect(none.names() == [])
            #expect(some.names().last == "update.succeeded")
        }
    }

    @Test func `two hundred events are kept, and no progress`() async {
        await Bench.run { bench in
            let key = ServiceKey(app: AppID(1), service: "main")
            for number in 0..<300 {
                await bench.supervisor.publishForTest(.containerStarted(key, "\(number)"))
                await bench.supervisor.publishForTest(.downloadProgress(key, image: "i", 1))
            }
            let watcher = await Self.watch(bench, nil)
            await bench.settle()
            #expect(watcher.lines.count == 200)
            #expect(watcher.lines.first?["containerId"] == "100")
        }
    }

    @Test func `the progress of a download is told once a second`() async {
        await Bench.run { bench in
            await bench.start()
            let watcher = await Self.watch(bench)
            bench.engine.hold(.pull)
            await bench.change(target: Self.one)
            for percent in 1...30 {
                bench.engine.reportProgress(Double(percent))
                await bench.advance(.milliseconds(100))
            }
            #expect(
                watcher.lines.filter { $0["event"] == "download.progress" }.map { $0["percent"] } == [1, 11, 21]
            )
            bench.engine.fail(.pull, EngineError(.failed, "no such image"))
            bench.engine.release(.pull)
            await bench.settle()
            let failures = watcher.lines.filter { $0["reason"] == "no such image" }
            #expect(failures.map { $0["event"] } == ["download.failed", "update.failed"])
        }
    }

    @Test func `a lock that is in the way is told once, and that it no longer is`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            bench.lock(1)
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            await bench.advance(.seconds(30))
            #expect(watcher.names() == ["target.changed", "download.began", "download.done", "update.blocked"])
            await bench.unlock(1)
            await bench.advance(.seconds(2))
            #expect(
                watcher.names() == [
                    "update.unblocked", "container.created", "container.started", "container.removed",
                    "update.succeeded",
                ]
            )
        }
    }

    @Test func `a target that is wrong is told once`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            await bench.change(target: ["apps": 1])
            await bench.advance(.seconds(200))
            #expect(watcher.names() == ["target.refused"])
        }
    }

    @Test func `an engine that goes and comes is told`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            bench.engine.goAway()
            await bench.advance(.seconds(20))
            #expect(watcher.names() == ["engine.away"])
            bench.engine.comeBack()
            await bench.advance(.seconds(6))
            #expect(watcher.names() == ["engine.connected"])
        }
    }

    @Test func `a new key and a plugin's state are told`() async throws {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            bench.host.tell(.state(plugin: "led", "starting", reason: nil))
            bench.host.tell(.state(plugin: "led", "tripped", reason: "it dies"))
            _ = try await bench.answer { try await $0.regenerateKey() }
            await bench.settle()
            #expect(watcher.lines.first?["plugin"] == "led")
            #expect(watcher.lines.first?["reason"] == "it dies")
            #expect(watcher.names().prefix(2) == ["plugin.tripped", "key.regenerated"])
        }
    }

    @Test func `a shutdown is told in its phases`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            _ = bench.call { try await $0.reboot(force: false, requestID: nil) }
            await bench.settle()
            let power = watcher.lines.filter { $0["kind"] != nil }
            #expect(power.map { $0["event"] }.first == "power.closed")
            #expect(power.compactMap { $0["phase"]?.stringValue } == ["stopping", "calling", "accepted"])
            #expect(power.allSatisfy { $0["kind"] == "reboot" })
        }
    }

    @Test func `whoever leaves is forgotten, and whoever stays is told that the supervisor stops`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = await Self.watch(bench)
            let leaving = await bench.supervisor.events(maximumAge: 0)
            #expect(await bench.supervisor.watcherCount == 2)
            await leaving.cancel()
            #expect(await bench.supervisor.watcherCount == 1)
            await bench.restartSupervisor()
            #expect(watcher.hasEnded)
            #expect(watcher.names().last == "supervisor.stopping")
        }
    }
}

extension Supervisor {
    func publishForTest(_ event: DeviceEvent) { publish(event) }
    var watcherCount: Int { events.watcherCount }
}
