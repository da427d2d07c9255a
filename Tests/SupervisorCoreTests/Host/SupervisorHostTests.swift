import HostOperations
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// LED, heartbeat, reaping, and what plugins tell.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorHostTests {
    private static let one = Sample.target((1, Sample.app("app:1")))
    private static let away = HostOperationError(.unavailable, "the socket is not there")
    private static let pingReady = HostEvent.ready(operations: [TCPPingEnable.name, TCPPingDisable.name])
    private static let storageReady = HostEvent.ready(operations: [StorageReap.name])

    // MARK: The LED

    @Test func `the LED blinks for 15 s`() async {
        await Bench.run(target: Self.one) { bench in
            let hasLED = try await bench.answer { try await $0.blink(requestID: "r3") }
            #expect(hasLED)
            #expect(bench.host.requests == [#"led.blink {"durationMs":15000}"#])
            #expect(bench.host.requestIDs == ["r3"])
        }
    }

    @Test func `a board without a LED says so, and is no failure`() async {
        await Bench.run(target: Self.one) { bench in
            bench.host.hasLED = false
            let first = try await bench.answer { try await $0.blink(requestID: nil) }
            bench.host.fail(LEDBlink.name, HostOperationError(.notSupported, "no LED"))
            let second = try await bench.answer { try await $0.blink(requestID: nil) }
            bench.host.fail(LEDBlink.name, HostOperationError(.noProvider, "no plugin"))
            let third = try await bench.answer { try await $0.blink(requestID: nil) }
            #expect(!first && !second && !third)
        }
    }

    @Test(arguments: [
        (HostOperationError(.invalidArgument, "x"), SupervisorError.Code.invalidArgument),
        (HostOperationError(.permissionDenied, "x"), .failed),
        (HostOperationError(.unavailable, "x", retryAfter: 4), .unavailable),
        (HostOperationError(.busy, "x", retryAfter: 2), .busy),
        (HostOperationError(.timeout, "x"), .timeout),
        (HostOperationError(.failed, "x"), .failed),
    ])
    func `a LED that cannot be driven is told`(error: HostOperationError, code: SupervisorError.Code) async {
        await Bench.run(target: Self.one) { bench in
            bench.host.fail(LEDBlink.name, error)
            let told = try await bench.refusal { try await $0.blink(requestID: nil) }
            #expect(told == SupervisorError(code, "x", retryAfter: error.retryAfter))
        }
    }

    // MARK: The heartbeat

    @Test func `a choice is kept over restarts and applied after every handshake`() async {
        await Bench.run(target: Self.one) { bench in
            bench.host.tell(Self.pingReady)
            await bench.settle()
            #expect(bench.host.calls == ["tcp-ping.enable"], "enabled where nobody has chosen")
            try await bench.answer { try await $0.setTCPPing(false, requestID: "r5") }
            #expect(bench.host.calls.last == "tcp-ping.disable")
            #expect(bench.host.requestIDs.last == "r5")
            #expect(TestFile.text(bench.files["state/flags.json"]) == "{\"version\":1,\"tcpPing\":false}\n")
            await bench.restartSupervisor()
            bench.host.forgetCalls()
            bench.host.tell(Self.pingReady)
            await bench.settle()
            #expect(bench.host.calls == ["tcp-ping.disable"])
            try await bench.answer { try await $0.setTCPPing(true, requestID: nil) }
            bench.host.tell(Self.pingReady)
            await bench.settle()
            #expect(bench.host.calls == ["tcp-ping.disable", "tcp-ping.enable", "tcp-ping.enable"])
        }
    }

    @Test(arguments: [away, HostOperationError(.failed, "it died", isOutcomeUnknown: true)])
    func `a plugin that is away learns the choice when it is back`(error: HostOperationError) async {
        await Bench.run(target: Self.one) { bench in
            bench.host.fail(TCPPingDisable.name, error)
            try await bench.answer { try await $0.setTCPPing(false, requestID: nil) }
            bench.host.forgetCalls()
            bench.host.tell(Self.pingReady)
            await bench.settle()
            #expect(bench.host.calls == ["tcp-ping.disable"])
        }
    }

    @Test func `without a plugin nothing is chosen`() async {
        await Bench.run(target: Self.one) { bench in
            bench.host.provided = []
            let error = try await bench.refusal { try await $0.setTCPPing(false, requestID: nil) }
            #expect(error.code == .notSupported)
            #expect(!TestFile.exists(bench.files["state/flags.json"]))
            #expect(await bench.device("connectivity") == .null)
        }
    }

    @Test func `a plugin that refuses is told, and the choice is kept`() async {
        await Bench.run(target: Self.one) { bench in
            bench.host.fail(TCPPingDisable.name, HostOperationError(.failed, "no"))
            let error = try await bench.refusal { try await $0.setTCPPing(false, requestID: nil) }
            #expect(error == SupervisorError(.failed, "no"))
            #expect(await bench.device("connectivity") == ["enabled": false, "connected": nil])
        }
    }

    @Test func `two choices at once end with the later one, in the file and in the plugin`() async {
        await Bench.run(target: Self.one) { bench in
            bench.host.hold(TCPPingDisable.name)
            let first = bench.call { try await $0.setTCPPing(false, requestID: nil) }
            await bench.settle()
            let second = bench.call { try await $0.setTCPPing(true, requestID: nil) }
            await bench.settle()
            #expect(bench.host.calls == ["tcp-ping.disable"])
            bench.host.release(TCPPingDisable.name)
            await bench.settle()
            #expect(first.result != nil && second.result != nil)
            #expect(bench.host.calls == ["tcp-ping.disable", "tcp-ping.enable"])
            #expect(bench.store.load(givenUUID: nil, machineUUID: nil).tcpPingIsEnabled)
        }
    }

    @Test func `the device shows what the heartbeat says`() async {
        await Bench.run(target: Self.one) { bench in
            func tell(_ state: JSONObject) async -> JSONValue? {
                bench.host.tell(.notification(method: "tcp-ping.changed", parameters: state))
                await bench.settle()
                return await bench.device("connectivity")
            }
            #expect(await bench.device("connectivity") == ["enabled": true, "connected": nil])
            #expect(await tell(["enabled": true, "connected": true]) == ["enabled": true, "connected": true])
            #expect(await tell(["enabled": true, "connected": false]) == ["enabled": true, "connected": false])
            #expect(await tell(["nonsense": 1]) == ["enabled": true, "connected": false])
            bench.host.tell(.notification(method: "other", parameters: [:]))
            #expect(await bench.supervisor.status()["connectivity"] == ["enabled": true, "connected": false])
            bench.host.tell(.gone(operations: [TCPPingEnable.name]))
            #expect(await bench.device("connectivity") == ["enabled": true, "connected": nil])
            bench.host.isConnected = true
            bench.host.tell(Self.pingReady)
            await bench.settle()
            #expect(await bench.device("connectivity") == ["enabled": true, "connected": true])
            try await bench.answer { try await $0.setTCPPing(false, requestID: nil) }
            #expect(await bench.device("connectivity") == ["enabled": false, "connected": nil])
            let names = await bench.supervisor.device().objectValue?.names
            #expect(names?.suffix(3) == ["connectivity", "update_warning", "agent_version"])
        }
    }

    // MARK: Reaping

    /// What the core's own hands do not remove: a mount is not entered. Here, a reaper that is never let near.
    private static func leaveBehind(_ bench: Bench) throws -> FullFileSystem {
        let path = bench.files["data/.purge-0001"]
        TestFile.makeDirectories(path)
        return try FullFileSystem(at: path, inodes: 10)
    }

    @Test(.enabled(if: FullFileSystem.isPossible))
    func `what the core cannot remove is left to the storage plugin`() async {
        await Bench.run(target: Self.one) { bench in
            let mount = try Self.leaveBehind(bench)
            defer { mount.unmount() }
            bench.host.onReap = { mount.unmount() }
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            #expect(bench.host.calls == ["storage.reap"])
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            #expect(bench.host.calls == ["storage.reap"], "nothing is left now")
            #expect(TestFile.names(bench.files["data"]) == ["1"])
        }
    }

    @Test(.enabled(if: FullFileSystem.isPossible))
    func `a reaping that fails is tried again later and later, and when the plugin comes`() async {
        await Bench.run(target: Self.one) { bench in
            let mount = try Self.leaveBehind(bench)
            defer { mount.unmount() }
            bench.host.fail(StorageReap.name, times: 100, Self.away)
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            #expect(bench.host.calls == ["storage.reap"])
            await bench.advance(.seconds(59))
            #expect(bench.host.calls.count == 1)
            await bench.advance(.seconds(2))
            #expect(bench.host.calls.count == 2)
            await bench.advance(.seconds(110))
            #expect(bench.host.calls.count == 2)
            bench.host.forgetFailures()
            bench.host.tell(Self.storageReady)
            await bench.settle()
            #expect(bench.host.calls.count == 3)
        }
    }

    @Test(.enabled(if: FullFileSystem.isPossible))
    func `a plugin that dies of every reaping is not called in a circle`() async {
        await Bench.run(target: Self.one) { bench in
            let mount = try Self.leaveBehind(bench)
            defer { mount.unmount() }
            bench.host.fail(StorageReap.name, times: 100, HostOperationError(.unavailable, "died"))
            // Each call starts it, which it tells.
            bench.host.onCall = { [host = bench.host] name in
                if name == StorageReap.name { host.tell(Self.storageReady) }
            }
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            #expect(bench.host.calls.count == 1)
        }
    }

    @Test(.enabled(if: FullFileSystem.isPossible))
    func `leftovers are reaped at start, and stay where nobody can`() async {
        await Bench.run { bench in
            let mount = try Self.leaveBehind(bench)
            defer { mount.unmount() }
            await bench.start(target: Self.one)
            #expect(bench.host.calls == ["storage.reap"])
            bench.host.provided.remove(StorageReap.name)
            try await bench.answer { try await $0.restart(AppID(1), force: false) }
            await bench.advance(.seconds(7200))
            #expect(bench.host.calls == ["storage.reap"])
        }
    }

    // MARK: The rest

    @Test func `an essential plugin that is not well makes the device unhealthy`() async {
        await Bench.run(target: Self.one) { bench in
            #expect(await bench.supervisor.ailment() == nil)
            bench.host.trouble = "The plugin logind has tripped"
            #expect(await bench.supervisor.ailment() == "The plugin logind has tripped")
            #expect(await bench.supervisor.status()["health"]?["healthy"] == false)
        }
    }

    @Test func `plugins are shown and driven as the host has it`() async {
        await Bench.run(target: Self.one) { bench in
            #expect(await bench.supervisor.plugins() == [["name": "led"]])
            let answer = try await bench.answer { try await $0.call("led.blink", ["durationMs": 5], record: true) }
            #expect(answer == ["result": [:], "frames": true])
            bench.host.fail("led.blink", HostOperationError(.busy, "x", retryAfter: 9))
            let error = try await bench.refusal { try await $0.call("led.blink", [:], record: false) }
            #expect(error == SupervisorError(.busy, "x", retryAfter: 9))
        }
    }
}
