import Glibc
import HostOperations
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// What becomes of a reboot that the host or an application does not go along with.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorPowerOutcomeTests {
    private static let two = Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1")))
    private static let stops = ["stop 1/main", "stop 2/main"]
    private static let starts = ["start 1/main", "start 2/main"]
    private static let refusal = HostOperationError(.permissionDenied, "Inhibited by upgrade: in the middle of it")
    private static let crash = HostOperationError(.unavailable, "the plugin died", isOutcomeUnknown: true)

    // MARK: Refusals

    @Test(arguments: [
        (Self.refusal, SupervisorError.Code.failed),
        (HostOperationError(.failed, "no"), .failed),
        (HostOperationError(.notSupported, "no"), .failed),
        (HostOperationError(.unavailable, "the bus is away"), .unavailable),
        (HostOperationError(.busy, "no"), .busy),
        (HostOperationError(.noProvider, "no"), .notSupported),
    ])
    func `after a refusal applications run again`(error: HostOperationError, code: SupervisorError.Code) async {
        await Bench.run(target: Self.two) { bench in
            let before = [bench.container(1).id, bench.container(2).id]
            bench.host.fail(PowerReboot.name, error)
            nonisolated(unsafe) var found: [String] = []
            let locks = bench.files["locks"]
            bench.engine.onStart = { specification in
                let app = specification.labels[ContainerLabel.app] ?? ""
                found += TestFile.names("\(locks)/\(app)/main")
            }
            let told = try await bench.refusal { try await $0.reboot(force: false, requestID: nil) }
            #expect(told.code == code)
            #expect(told.message == error.message)
            #expect(bench.engine.calls == Self.stops + Self.starts)
            #expect(found == [], "nothing of ours is there when an application starts")
            #expect([bench.container(1).id, bench.container(2).id] == before)
            #expect(await bench.power == .null)
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == Self.stops + Self.starts)
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
        }
    }

    @Test func `a device without the plugin stops nothing for it`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.provided.remove(PowerReboot.name)
            let error = try await bench.refusal { try await $0.reboot(force: true, requestID: nil) }
            #expect(error.code == .notSupported)
            #expect(bench.engine.calls == [])
            #expect(bench.host.calls == [])
        }
    }

    @Test func `what did not run before does not run after a refusal, and what ends by itself does`() async {
        let once = Sample.app("b:1", ["restart": "no"])
        await Bench.run(target: Sample.target((1, Sample.app("a:1")), (2, once))) { bench in
            _ = try await bench.answer { try await $0.stop(AppID(1), force: false) }
            bench.engine.forgetCalls()
            bench.host.fail(PowerReboot.name, Self.refusal)
            _ = try await bench.refusal { try await $0.reboot(force: false, requestID: nil) }
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == ["stop 2/main", "start 2/main"])
        }
    }

    @Test func `an application that does not stop in time keeps the device running`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.stop)
            let call = bench.reboot()
            await bench.advance(.seconds(39))
            #expect(call.result == nil)
            await bench.advance(.seconds(2))
            #expect(call.error?.code == .failed)
            #expect(call.error?.message == "Not every application stopped within 40 s")
            #expect(bench.host.calls == [])
            #expect(!TestFile.exists(bench.lockPath(1)), "our lock is given back")
            bench.engine.release(.stop)
        }
    }

    @Test func `one application that does not stop has the other run again`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.fail(.stop, EngineError(.failed, "cannot kill"))
            let error = try await bench.refusal { try await $0.reboot(force: false, requestID: nil) }
            #expect(error.code == .failed)
            #expect(error.message.hasSuffix("cannot kill"))
            #expect(bench.host.calls == [])
            #expect(bench.engine.calls.count == 3)
            #expect(bench.bothRun)
        }
    }

    @Test func `a forced reboot leaves what does not stop to the host`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.fail(.stop, EngineError(.failed, "cannot kill"))
            try await bench.answer { try await $0.reboot(force: true, requestID: nil) }
            #expect(bench.host.calls == ["power.reboot"])
        }
    }

    @Test(arguments: [false, true])
    func `with the engine away only a forced reboot happens`(force: Bool) async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.goAway()
            let call = bench.reboot(force: force)
            await bench.settle()
            #expect(call.error?.code == (force ? nil : .failed))
            #expect(bench.host.calls == (force ? ["power.reboot"] : []))
        }
    }

    // MARK: A lost outcome

    @Test(arguments: [Self.crash, HostOperationError(.timeout, "no answer")])
    func `a lost answer is asked for, and the request never sent again`(error: HostOperationError) async {
        await Bench.run(target: Self.two) { bench in
            bench.host.fail(PowerReboot.name, error)
            bench.host.preparing = "reboot"
            try await bench.answer { try await $0.reboot(force: false, requestID: nil) }
            #expect(bench.host.calls == ["power.reboot", "power.status"])
            #expect(bench.engine.calls == Self.stops)
        }
    }

    @Test func `a lost request that did not arrive has applications run again`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.fail(PowerReboot.name, Self.crash)
            let call = bench.reboot()
            await bench.settle()
            #expect(call.result == nil)
            #expect(bench.engine.calls == Self.stops)
            await bench.advance(.seconds(3))
            #expect(call.error?.code == .failed)
            #expect(call.error?.message == "The reboot was not carried out: the plugin died")
            #expect(bench.host.calls == ["power.reboot", "power.status", "power.status"])
            #expect(bench.engine.calls == Self.stops + Self.starts)
        }
    }

    @Test func `an outcome that nobody knows is said, and applications run only once it is known`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.fail(PowerReboot.name, Self.crash)
            bench.host.fail(PowerStatus.name, times: 1000, HostOperationError(.unavailable, "the bus is away"))
            let call = bench.reboot()
            await bench.advance(.seconds(15))
            #expect(call.result == nil)
            await bench.advance(.seconds(15))
            #expect(call.error?.message == "Nobody can tell whether the reboot is under way: the bus is away")
            #expect(bench.engine.calls == Self.stops)
            #expect(await bench.power?["phase"] == "unknown")
            await bench.advance(.seconds(200))
            #expect(bench.engine.calls == Self.stops)
            bench.host.forgetFailures()
            await bench.advance(.seconds(20))
            #expect(bench.engine.calls == Self.stops + Self.starts)
            #expect(bench.host.calls.count { $0 == "power.reboot" } == 1)
            #expect(await bench.power == .null)
        }
    }

    // MARK: After the acceptance

    @Test func `a shutdown that was cancelled has everything go on`() async {
        await Bench.run(target: Self.two) { bench in
            try await bench.answer { try await $0.reboot(force: false, requestID: nil) }
            await bench.advance(.seconds(110))
            #expect(bench.host.calls == ["power.reboot"])
            #expect(await bench.power == ["kind": "reboot", "phase": "accepted", "sinceSec": 110])
            await bench.advance(.seconds(60))
            #expect(bench.engine.calls == Self.stops, "it is still under way")
            bench.host.preparing = "none"
            await bench.advance(.seconds(30))
            #expect(bench.engine.calls == Self.stops + Self.starts)
            #expect(await bench.power == .null)
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
        }
    }

    @Test func `the end of the core answers a caller who waits for a lost outcome`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.fail(PowerReboot.name, Self.crash)
            bench.host.fail(PowerStatus.name, times: 1000, HostOperationError(.unavailable, "the bus is away"))
            let call = bench.reboot()
            await bench.settle()
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.settle()
            #expect(drain.result != nil)
            #expect(call.error?.code == .failed)
        }
    }

    @Test func `a core that ends before the host was asked does not ask it`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.stop)
            let call = bench.reboot()
            await bench.settle()
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.settle()
            bench.engine.release(.stop)
            await bench.settle()
            #expect(drain.result != nil)
            #expect(call.error?.code == .unavailable)
            #expect(bench.host.calls == [])
            #expect(bench.bothRun)
        }
    }
}
