import JSON
import Logging
import Testing

@testable import SupervisorCore

/// An engine that goes away and comes back, and how the device feels meanwhile.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorEngineTests {
    private static let one = Sample.target((1, Sample.app("app:1")))

    @Test func `an engine that comes later than the supervisor gets its work at once`() async {
        await Bench.run { bench in
            bench.engine.goAway()
            await bench.start(target: Self.one)
            await bench.advance(.seconds(20))
            #expect(bench.engine.calls == [])
            bench.engine.comeBack()
            await bench.advance(.seconds(6))
            #expect(bench.container(1).state == .running)
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `an engine that restarts is found again, and what was missed is done`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.goAway()
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(await bench.supervisor.status()["engine"]?["state"] == "away")
            #expect(await bench.supervisor.status()["engine"]?["error"] == "connection refused")
            bench.engine.comeBack()
            await bench.advance(.seconds(6))
            #expect(await bench.supervisor.status()["engine"]?["state"] == "connected")
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `a stream of events that ends is taken up again`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.endEvents()
            await bench.advance(.seconds(1))
            #expect(await bench.supervisor.status()["engine"]?["state"] == "connected")
            bench.engine.die(bench.container(1).id)
            await bench.advance(.seconds(2))
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `an engine is asked again at most every five seconds, and at least`() async {
        await Bench.run { bench in
            for _ in 0..<1000 { bench.engine.fail(.ping, EngineError(.unavailable, "connection refused")) }
            await bench.start()
            await bench.advance(.seconds(300))
            #expect((60...70).contains(1000 - bench.engine.failuresLeft(.ping)))
        }
    }

    // MARK: Health

    @Test func `an engine may be away for thirty seconds`() async {
        await Bench.run(target: Self.one) { bench in
            #expect(await bench.supervisor.ailment() == nil)
            bench.engine.goAway()
            await bench.advance(.seconds(30))
            #expect(await bench.supervisor.ailment() == nil)
            await bench.advance(.seconds(1))
            let ailment = await bench.supervisor.ailment()
            #expect(ailment == "The container engine is away for 31 s: connection refused")
            #expect(await bench.supervisor.status()["health"]?["healthy"] == false)
            bench.engine.comeBack()
            await bench.advance(.seconds(6))
            #expect(await bench.supervisor.ailment() == nil)
        }
    }

    @Test func `a step that takes longer than it ever may is an ailment until it ends`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let call = bench.call { try await $0.restart(AppID(1), force: false) }
            await bench.advance(.seconds(70))
            #expect(await bench.supervisor.ailment() == nil)
            await bench.advance(.seconds(1))
            #expect(await bench.supervisor.ailment() == "Stuck for 71 s in stopping a container")
            bench.engine.release(.stop)
            await bench.settle()
            #expect(await bench.supervisor.ailment() == nil)
            #expect(call.result != nil)
        }
    }

    @Test func `a failing update makes no device unhealthy`() async {
        await Bench.run(target: Self.one) { bench in
            for _ in 0..<1000 { bench.engine.fail(.pull, EngineError(.failed, "no route to host")) }
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            await bench.advance(.seconds(600))
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.supervisor.ailment() == nil)
        }
    }

    @Test func `a download of hours is healthy`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            await bench.advance(.seconds(7200))
            #expect(await bench.supervisor.ailment() == nil)
        }
    }
}
