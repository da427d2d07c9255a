import JSON
import Testing

@testable import SupervisorCore

/// A disk that does not answer.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorDiskTests {
    private static let one = Sample.target((1, Sample.app("app:1")))
    private static let newer = Sample.target((1, Sample.app("app:2", commit: "c2")))
    private static let both = Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1")))
    private static let app = AppID(1)

    @Test func `an operation is refused in time, and not done when the disk is back`() async {
        await Bench.run(target: Self.one) { bench in
            bench.worker.hang()
            let restart = bench.call { try await $0.restart(Self.app, force: true) }
            await bench.advance(.milliseconds(29_900))
            #expect(restart.result == nil)
            await bench.advance(.milliseconds(200))
            #expect(restart.error?.code == .unavailable)
            #expect(restart.error?.message == "The disk does not answer")
            let second = try await bench.refusal { try await $0.stop(Self.app, force: false) }
            #expect(second.code == .unavailable, "at once from then on")
            bench.worker.goOn()
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == [])
            try await bench.answer { try await $0.restart(Self.app, force: false) }
            #expect(bench.engine.calls.contains("stop 1/main"))
        }
    }

    @Test func `a new key is refused in time, and the old one goes on when the disk is back`() async {
        await Bench.run(target: Self.one) { bench in
            let key = await bench.supervisor.currentKey()
            bench.worker.hang()
            let regenerate = bench.call { try await $0.regenerateKey() }
            await bench.advance(.seconds(31))
            #expect(regenerate.error?.code == .unavailable)
            #expect(regenerate.error?.message.hasSuffix("the old one goes on: The disk does not answer") == true)
            bench.worker.goOn()
            await bench.advance(.seconds(120))
            #expect(await bench.supervisor.currentKey() == key)
            let new = try await bench.answer { try await $0.regenerateKey() }
            #expect(new != key)
        }
    }

    @Test func `its silence is an ailment until it answers`() async {
        await Bench.run(target: Self.one) { bench in
            bench.worker.hang()
            _ = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.advance(.seconds(29))
            #expect(await bench.supervisor.ailment() == nil)
            await bench.advance(.seconds(13))
            #expect(await bench.supervisor.ailment() == "The disk has not answered for 42 s")
            bench.worker.goOn()
            await bench.settle()
            #expect(await bench.supervisor.ailment() == nil)
        }
    }

    @Test func `a slow disk is waited for by who changes something, and not by who is told something`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.worker.hang()
            let told = bench.call { await $0.locks() }
            let restart = bench.call { try await $0.restart(Self.app, force: true) }
            await bench.advance(.milliseconds(5_100))
            #expect(told.result != nil && restart.result == nil)
            await bench.advance(.seconds(20))
            bench.worker.goOn()
            await bench.settle()
            #expect(restart.result != nil && restart.error == nil)
            await bench.advance(.seconds(60))
            #expect(await bench.supervisor.ailment() == nil)
        }
    }

    /// Who comes late need not wait as long as who came first.
    @Test func `the time that the disk has been silent counts for all`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.worker.hang()
            _ = bench.call { await $0.locks() }
            await bench.advance(.seconds(28))
            let restart = bench.call { try await $0.restart(Self.app, force: true) }
            await bench.advance(.milliseconds(2_100))
            #expect(restart.error?.code == .unavailable)
            bench.worker.goOn()
        }
    }

    @Test func `locks are told without it`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.worker.hang()
            let told = bench.call { await $0.locks() }
            await bench.advance(.seconds(6))
            let lock = try #require(told.result).get().arrayValue?.first
            #expect(lock?["appId"] == 1)
            #expect(lock?["path"] == .string(bench.lockPath(1)))
            let again = try await bench.answer { await $0.locks() }
            #expect(again.arrayValue?.isEmpty == false, "at once from then on")
            bench.worker.goOn()
        }
    }

    @Test func `an update waits for it, says so, and goes on by itself`() async {
        await Bench.run(target: Self.one) { bench in
            bench.worker.hang()
            await bench.change(target: Self.newer)
            await bench.advance(.seconds(90))
            #expect(bench.engine.calls == [])
            let update = await bench.supervisor.status()["update"]
            #expect(update?["targetError"] == "The disk does not answer")
            bench.worker.goOn()
            await bench.settle()
            #expect(bench.container(1).image == "app:2")
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `a reboot is refused, and a forced one is not`() async {
        await Bench.run(target: Self.both) { bench in
            bench.worker.hang()
            let refused = bench.reboot()
            await bench.advance(.seconds(31))
            #expect(refused.error?.message == "The disk does not answer")
            #expect(bench.bothRun && bench.host.calls.isEmpty)
            let forced = bench.reboot(force: true)
            await bench.settle()
            #expect(forced.result != nil && forced.error == nil)
            #expect(bench.host.calls.contains { $0.hasPrefix("power.reboot") })
            #expect(bench.container(1).state == .exited)
            bench.worker.goOn()
        }
    }

    /// Such as an operation that the disk has stopped in its middle.
    @Test func `what holds an application and waits for the disk does not keep a forced reboot from happening`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let restart = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            bench.worker.hang()
            bench.engine.release(.stop)
            await bench.settle()
            let forced = bench.reboot(force: true)
            await bench.advance(.seconds(6))
            #expect(forced.result != nil && forced.error == nil)
            #expect(restart.result == nil)
            bench.worker.goOn()
            await bench.settle()
            #expect(restart.result != nil)
        }
    }
}
