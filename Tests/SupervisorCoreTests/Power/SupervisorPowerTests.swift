import Glibc
import HostOperations
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// Reboot and power-off, with a host that does as it is told.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorPowerTests {
    private static let two = Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1")))
    private static let stops = ["stop 1/main", "stop 2/main"]
    private static let refusal = HostOperationError(.permissionDenied, "Inhibited by upgrade: in the middle of it")

    /// Everything in the order in which it happens.
    private final class Journal: @unchecked Sendable {
        var entries: [String] = []
    }

    // MARK: The order

    @Test func `locks are taken, plugins connected, applications stopped, the host asked, the caller answered`() async {
        await Bench.run(target: Self.two) { bench in
            let journal = Journal()
            let paths = [bench.lockPath(1), bench.lockPath(2)]
            let note: (String) -> Void = { entry in
                let locks = paths.count { TestFile.exists($0) }
                journal.entries.append("\(entry), \(locks) locks")
            }
            bench.engine.onCall = note
            bench.host.onCall = note
            bench.host.hold(PowerReboot.name)
            let call = bench.reboot()
            await bench.settle()
            #expect(call.result == nil, "the host has not accepted")
            bench.host.release(PowerReboot.name)
            await bench.settle()
            #expect(call.result != nil && call.error == nil)
            #expect(
                journal.entries == [
                    "connect, 2 locks", "stop 1/main, 2 locks", "stop 2/main, 2 locks", "power.reboot, 0 locks",
                ],
                "a lock never outlives the stop of its container"
            )
            #expect(bench.host.connected == [["power.reboot", "power.power-off", "power.status"]])
            #expect(bench.host.requestIDs == ["r1"])
        }
    }

    @Test(arguments: [false, true])
    func `an inhibitor is named before anything is stopped, also with force`(force: Bool) async {
        await Bench.run(target: Self.two) { bench in
            bench.host.inhibited = "blocked by apt: upgrades\nthe system, process 7 of user 0"
            let error = try await bench.refusal { try await $0.powerOff(force: force, requestID: nil) }
            #expect(error.code == .busy)
            #expect(error.retryAfter != nil)
            let reason = "blocked by apt: upgrades the system, process 7 of user 0"
            #expect(error.message == "The device cannot power off: \(reason)")
            #expect(bench.engine.calls == [])
            #expect(bench.host.calls == [])
            #expect(!TestFile.exists(bench.lockPath(1)), "the locks are given back")
            bench.host.inhibited = nil
            try await bench.answer { try await $0.powerOff(force: force, requestID: nil) }
            #expect(bench.host.calls == ["power.power-off"])
        }
    }

    @Test func `a shutdown asks for a power-off`() async {
        await Bench.run(target: Self.two) { bench in
            try await bench.answer { try await $0.powerOff(force: false, requestID: nil) }
            #expect(bench.host.calls == ["power.power-off"])
            #expect(bench.engine.calls == Self.stops)
        }
    }

    @Test func `applications are stopped all at once`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.stop)
            let call = bench.reboot()
            await bench.settle()
            #expect(bench.engine.calls == Self.stops)
            #expect(bench.host.calls == [])
            #expect(await bench.power == ["kind": "reboot", "phase": "stopping", "sinceSec": 0])
            bench.engine.release(.stop)
            await bench.settle()
            #expect(call.error == nil && call.result != nil)
        }
    }

    @Test func `a caller that is stopped with its application takes nothing back`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.stop)
            let call = bench.reboot()
            await bench.settle()
            call.task?.cancel()
            bench.engine.release(.stop)
            await bench.settle()
            #expect(bench.host.calls == ["power.reboot"])
        }
    }

    @Test func `a device without applications reboots`() async {
        await Bench.run(target: Sample.target()) { bench in
            try await bench.answer { try await $0.reboot(force: false, requestID: nil) }
            #expect(bench.host.calls == ["power.reboot"])
        }
    }

    // MARK: The lock

    @Test func `one held lock keeps everything as it is`() async {
        await Bench.run(target: Self.two) { bench in
            bench.lock(2)
            let error = try await bench.refusal { try await $0.reboot(force: false, requestID: nil) }
            #expect(error.code == .locked)
            #expect(error.message.hasPrefix("Updates are locked by application 2"))
            #expect(bench.engine.calls == [])
            #expect(bench.host.calls == [])
            #expect(!TestFile.exists(bench.lockPath(1)), "all or nothing")
            #expect(TestFile.exists(bench.lockPath(2)))
            #expect(await bench.power == .null)
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
        }
    }

    @Test func `force goes over a lock, which is gone with its container`() async {
        await Bench.run(target: Self.two) { bench in
            bench.lock(2)
            try await bench.answer { try await $0.reboot(force: true, requestID: nil) }
            #expect(bench.host.calls == ["power.reboot"])
            #expect(!TestFile.exists(bench.lockPath(2)))
        }
    }

    @Test func `the variable of an application overrides its lock alone`() async {
        let overriding = Sample.app("a:1", ["environment": ["RESIN_SUPERVISOR_OVERRIDE_LOCK": "1"]])
        await Bench.run(target: Sample.target((1, overriding), (2, Sample.app("b:1")))) { bench in
            bench.lock(1)
            bench.lock(2)
            let error = try await bench.refusal { try await $0.reboot(force: false, requestID: nil) }
            #expect(error.code == .locked)
            await bench.unlock(2)
            try await bench.answer { try await $0.reboot(force: false, requestID: nil) }
            #expect(bench.host.calls == ["power.reboot"])
        }
    }

    // MARK: Others

    @Test func `an operation under way is waited for`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.create)
            let restart = bench.call { try await $0.restart(AppID(2), force: false) }
            await bench.settle()
            let call = bench.reboot()
            await bench.settle()
            #expect(bench.engine.calls == ["create 2/main"])
            #expect(await bench.power?["phase"] == "waiting")
            bench.engine.release(.create)
            await bench.settle()
            #expect(restart.error == nil && restart.result != nil)
            #expect(call.error == nil && call.result != nil)
            #expect(bench.engine.calls.suffix(4) == ["start 2/main", "remove 2/main"] + Self.stops)
        }
    }

    @Test func `an operation that lasts too long refuses the reboot`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.create)
            _ = bench.call { try await $0.restart(AppID(2), force: false) }
            await bench.settle()
            let call = bench.reboot()
            await bench.advance(.seconds(19))
            #expect(call.result == nil)
            await bench.advance(.seconds(2))
            #expect(call.error?.code == .locked)
            #expect(bench.host.calls == [])
            bench.engine.release(.create)
            await bench.settle()
            #expect(bench.bothRun)
        }
    }

    @Test func `an operation that waits for its turn does not get it`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.create)
            _ = bench.call { try await $0.restart(AppID(2), force: false) }
            await bench.settle()
            let second = bench.call { try await $0.restart(AppID(2), force: false) }
            await bench.settle()
            let call = bench.reboot()
            await bench.settle()
            bench.engine.release(.create)
            await bench.settle()
            #expect(second.error?.code == .busy)
            #expect(call.error == nil && call.result != nil)
        }
    }

    enum Mutation: CaseIterable, Sendable {
        case restart, purge, stop, start, key, hostConfig, tcpPing

        func call(_ supervisor: Supervisor) async throws {
            switch self {
            case .restart: try await supervisor.restart(AppID(1), force: true)
            case .purge: try await supervisor.purge(AppID(1), force: true)
            case .stop: _ = try await supervisor.stop(AppID(1), force: true)
            case .start: _ = try await supervisor.start(AppID(1))
            case .key: _ = try await supervisor.regenerateKey()
            case .hostConfig: try await supervisor.setHostConfig(["network": ["hostname": "x"]], requestID: nil)
            case .tcpPing: try await supervisor.setTCPPing(false, requestID: nil)
            }
        }
    }

    @Test(arguments: Mutation.allCases)
    func `nothing else changes from the request until the machine is down`(mutation: Mutation) async {
        await Bench.run(target: Self.two) { bench in
            bench.host.hold(PowerReboot.name)
            let call = bench.reboot()
            await bench.settle()
            let key = await bench.supervisor.currentKey()
            func refuses() async throws {
                let error = try await bench.refusal { try await mutation.call($0) }
                #expect(error.code == .busy)
                #expect(error.retryAfter == 15)
                #expect(error.message == "A reboot is under way")
            }
            try await refuses()
            bench.host.release(PowerReboot.name)
            await bench.settle()
            #expect(call.result != nil)
            await bench.advance(.seconds(60))
            try await refuses()
            #expect(bench.engine.calls == Self.stops)
            #expect(bench.host.calls == ["power.reboot"])
            #expect(await bench.supervisor.currentKey() == key)
        }
    }

    @Test func `the planner starts nothing meanwhile, and goes on where the reboot fails`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.hold(PowerReboot.name)
            bench.host.fail(PowerReboot.name, Self.refusal)
            let call = bench.reboot()
            await bench.settle()
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:1"))))
            await bench.supervisor.requestUpdate(force: true)
            await bench.advance(.seconds(90))
            #expect(bench.engine.calls == Self.stops)
            bench.host.release(PowerReboot.name)
            await bench.settle()
            #expect(call.error?.message == Self.refusal.message)
            #expect(bench.container(1).image == "a:2")
            #expect(bench.bothRun)
        }
    }

    @Test func `an update under way ends with the step that it is at`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.images.formUnion(["a:2", "b:2"])
            bench.engine.hold(.create)
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:2"))))
            bench.host.hold(PowerReboot.name)
            bench.host.fail(PowerReboot.name, Self.refusal)
            let call = bench.reboot()
            await bench.settle()
            bench.engine.release(.create)
            await bench.settle()
            #expect(bench.engine.calls == ["create 1/main"] + Self.stops, "nothing is replaced any more")
            #expect(bench.container(2).image == "b:1")
            bench.host.release(PowerReboot.name)
            await bench.settle()
            #expect(call.error != nil)
            #expect(bench.container(2).image == "b:2", "the rest of the update")
        }
    }

    // MARK: Joining

    @Test func `two reboots at once are one`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.hold(PowerReboot.name)
            let first = bench.reboot()
            await bench.settle()
            let second = bench.reboot()
            await bench.settle()
            #expect(second.result == nil)
            bench.host.release(PowerReboot.name)
            await bench.settle()
            #expect(first.result != nil && first.error == nil)
            #expect(second.result != nil && second.error == nil)
            try await bench.answer { try await $0.reboot(force: false, requestID: nil) }
            #expect(bench.host.calls == ["power.reboot"])
            #expect(bench.engine.calls == Self.stops)
        }
    }

    @Test func `of two reboots that are refused both are told why`() async {
        await Bench.run(target: Self.two) { bench in
            bench.host.hold(PowerReboot.name)
            bench.host.fail(PowerReboot.name, Self.refusal)
            let calls = [bench.reboot(), bench.reboot()]
            await bench.settle()
            bench.host.release(PowerReboot.name)
            await bench.settle()
            #expect(calls.map { $0.error?.message } == [Self.refusal.message, Self.refusal.message])
        }
    }

    @Test func `a shutdown during a reboot is locked out, and the reboot goes on`() async {
        await Bench.run(target: Self.two) { bench in
            bench.engine.hold(.stop)
            let reboot = bench.reboot()
            await bench.settle()
            let error = try await bench.refusal { try await $0.powerOff(force: true, requestID: nil) }
            #expect(error.code == .locked)
            #expect(error.message == "A reboot is under way")
            bench.engine.release(.stop)
            await bench.settle()
            #expect(reboot.error == nil && reboot.result != nil)
            #expect(bench.host.calls == ["power.reboot"])
        }
    }
}
