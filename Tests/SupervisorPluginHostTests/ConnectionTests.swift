import Glibc
import Logging
import NIOCore
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import Testing

@testable import SupervisorPluginHost

/// What a plugin may do with its connection, and what that costs whom: with a plugin that is a thread of the test.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test func `a call goes there and back, both with their times and frames`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                wire.echo()
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            let secret: JSONObject = ["type": "socks5", "login": "me", "deep": [["password": "hunter22"]]]
            let answer = try await bench.call("x.echo", secret, records: true)
            #expect(
                answer["result"] == ["type": "socks5", "login": "[redacted]", "deep": [["password": "[redacted]"]]]
            )
            #expect(answer["provider"] == "test")
            #expect(answer["durationMicroseconds"]?.integerValue ?? 0 > 0)
            let frames = answer["frames"]?.arrayValue ?? []
            #expect(
                frames.map { $0["direction"]?.stringValue }
                    == ["to-plugin", "from-plugin", "to-plugin", "to-plugin", "from-plugin"]
            )
            #expect(
                frames.compactMap { $0["frame"]?["method"]?.stringValue }
                    == ["plugin.initialize", "plugin.initialized", "x.echo"]
            )
            let times = frames.compactMap { $0["atMicroseconds"]?.integerValue }
            #expect(times == times.sorted() && times.count == 5)
            #expect(!answer.text.contains("hunter22"))
            let plugin = await bench.plugin()
            #expect(plugin["state"] == "ready" && plugin["version"] == "7" && plugin["pid"] == .null)
            #expect(bench.events.all == [.ready(operations: ["led.blink", "power.reboot", "x.echo"])])
            #expect(bench.states.all.suffix(2) == ["test starting", "test ready"])
        }
    }

    @Test func `a typed call returns its type, and without a plugin says so`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                wire.echo()
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            let reply = try await bench.host.call(LEDBlink.self, .init(durationMs: 5), requestID: "r1")
            #expect(reply.isSupported)
            #expect(bench.host.provides("led.blink"))
            #expect(!bench.host.provides("hostname.get"))
            await #expect(throws: HostOperationError(.noProvider, "This device has no plugin for hostname.get")) {
                try await bench.host.call(HostnameGet.self, .init(), requestID: nil)
            }
        }
    }

    /// Bytes that are no answer, sent instead of one.
    struct Fault: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: String
        var reason: String

        init(_ name: String, _ bytes: String, _ reason: String) {
            self.name = name
            self.bytes = bytes
            self.reason = reason
        }

        /// Not the bytes: of some there are a million.
        var testDescription: String { name }
    }

    private static let faults = [
        Fault("garbage", "hello\n", "sent an invalid frame"),
        Fault("an empty line", "\n", "sent an invalid frame"),
        Fault("an array", "[1]\n", "sent an invalid frame"),
        Fault(
            "bytes that are not UTF-8",
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"\u{FFFD}\"\n",
            "sent an invalid frame"
        ),
        Fault("an oversize line", String(repeating: "a", count: 1 << 20) + "aa", "a frame of more than 1048576 bytes"),
        Fault(
            "an id from nowhere",
            #"{"jsonrpc":"2.0","id":99,"result":{}}"# + "\n",
            "answered 99, which is not the id of a request"
        ),
        Fault(
            "an id of another kind",
            #"{"jsonrpc":"2.0","id":"2","result":{}}"# + "\n",
            "which is not the id of a request"
        ),
        Fault(
            "an error without an id",
            #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"# + "\n",
            "m"
        ),
        Fault("a request", #"{"jsonrpc":"2.0","id":1,"method":"core.do"}"# + "\n", "a plugin must not send requests"),
    ]

    @Test(arguments: faults)
    func `what is no answer is a failure of the plugin, and the call goes to its next life`(
        fault: Fault
    ) async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, number in
                wire.greet()
                guard number == 0 else { return wire.echo() }
                _ = wire.readRequest()
                wire.send(fault.bytes)
                wire.drain()
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            #expect(try await bench.call("x.echo", ["a": 1])["result"] == ["a": 1])
            #expect(bench.log.lines.all.contains { $0.level == .warning && $0.text.contains(fault.reason) })
            #expect(await bench.plugin()["failures"] == 1)
        }
    }

    @Test func `a call that is not idempotent is not sent twice, and its caller learns that nobody knows`() async throws
    {
        try await HostBench.run { (bench: HostBench) async throws in
            let requests = Recorder<String>()
            let peer = bench.peer { wire, _ in
                wire.greet()
                if let request = wire.readRequest() { requests.add(request.method) }
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            let error = await #expect(throws: HostOperationError.self) {
                try await bench.host.call(PowerReboot.self, .init(), requestID: nil)
            }
            #expect(error?.isOutcomeUnknown == true)
            #expect(error?.code == .unavailable)
            #expect(requests.all == ["power.reboot"])
        }
    }

    @Test func `an idempotent call gets one second chance, not two`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let requests = Recorder<String>()
            let peer = bench.peer { wire, _ in
                wire.greet()
                if let request = wire.readRequest() { requests.add(request.method) }
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            let answer = try await bench.call("led.blink")
            #expect(answer["error"]?["reason"] == "unavailable")
            #expect(answer["error"]?["outcomeUnknown"] == nil)
            #expect(requests.all == ["led.blink", "led.blink"])
        }
    }

    @Test func `however an answer is cut, it arrives; two in one piece, too`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                for byte in Frame.result(id: wire.readRequest()?.id ?? .number(0), ["é": "\u{2028}\u{85}"]).encoded() {
                    wire.send([byte])
                }
                guard let a = wire.readRequest(), let b = wire.readRequest() else { return }
                wire.send(Frame.result(id: b.id, ["n": 2]).encoded() + Frame.result(id: a.id, ["n": 1]).encoded())
                wire.drain()
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            #expect(try await bench.call("x.echo")["result"] == ["é": "\u{2028}\u{85}"])
            async let first = bench.call("x.echo")
            async let second = bench.call("led.blink")
            let numbers = try await [first, second].map { $0["result"]?["n"]?.integerValue }
            #expect(Set(numbers) == [1, 2])
        }
    }

    @Test func `a frame of the largest size passes, one byte more does not leave`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                wire.echo()
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            _ = try await bench.call("x.echo")
            let overhead = Frame.request(id: .number(3), method: "x.echo", parameters: ["a": ""]).encoded().count - 1
            let largest = String(repeating: "x", count: PluginProtocol.maximumFrameSize - overhead)
            #expect(try await bench.call("x.echo", ["a": .string(largest)])["result"]?["a"] == .string(largest))
            let tooLong = try await bench.call("x.echo", ["a": .string(largest + "x")])
            #expect(tooLong["error"]?["reason"] == "invalid-argument")
            #expect(await bench.plugin()["failures"] == 0)
        }
    }

    @Test func `a silent plugin costs its caller the deadline, and is started anew two seconds later`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let cancelled = Recorder<Frame>()
            let peer = bench.peer { wire, number in
                wire.greet()
                guard number == 0 else { return wire.echo() }
                while let frame = wire.read() { cancelled.add(frame) }
            }
            defer { peer.stop() }
            bench.writeSocketManifest("CallTimeoutSec=200ms")
            await bench.reload()
            let begin = ContinuousClock.now
            let error = await #expect(throws: HostOperationError.self) {
                try await bench.host.call(PowerReboot.self, .init(), requestID: nil)
            }
            let time = ContinuousClock.now - begin
            #expect(error?.code == .timeout && error?.isOutcomeUnknown == true)
            #expect(time >= .milliseconds(200) && time < .milliseconds(600), "\(time)")
            #expect(await bench.plugin()["state"] == "ready")
            #expect(await bench.plugin()["calls"] == 1)
            for _ in 0..<600 where await bench.plugin()["failures"] == 0 {
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(5))
            }
            #expect(ContinuousClock.now - begin >= .milliseconds(2200))
            #expect(await bench.plugin()["failures"] == 1)
            #expect(cancelled.all.count == 3)
            #expect(cancelled.all.last == .notification(method: "plugin.cancel", parameters: ["id": 2]))
            #expect(try await bench.call("x.echo", ["a": 1])["result"] == ["a": 1])
        }
    }

    @Test func `a late answer is nobody's and no fault`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                guard let first = wire.readRequest(), case .notification? = wire.read() else { return }
                wire.send(.failure(id: first.id, PluginError(code: .cancelled, "cancelled")))
                wire.echo()
            }
            defer { peer.stop() }
            bench.writeSocketManifest("CallTimeoutSec=100ms")
            await bench.reload()
            #expect(try await bench.call("led.blink")["error"]?["reason"] == "timeout")
            #expect(try await bench.call("x.echo", ["a": 1])["result"] == ["a": 1])
            let plugin = await bench.plugin()
            #expect(plugin["failures"] == 0 && plugin["calls"] == 0)
        }
    }

    @Test func `a caller that goes away has its call cancelled`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let frames = Recorder<Frame>()
            let peer = bench.peer { wire, _ in
                wire.greet()
                while let frame = wire.read() {
                    frames.add(frame)
                    if case .notification(method: "plugin.cancel", let parameters) = frame {
                        let id = parameters["id"].flatMap { RequestID($0) } ?? .number(0)
                        wire.send(.failure(id: id, PluginError(code: .cancelled, "cancelled")))
                    }
                }
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            let task = Task(executorPreference: bench.executor) { try await bench.call("led.blink") }
            while !frames.all.contains(where: { if case .request = $0 { true } else { false } }) {
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(2))
            }
            task.cancel()
            let answer = try await task.value
            #expect(answer["error"]?["message"] == "led.blink was cancelled by its caller")
            for _ in 0..<200 where await bench.plugin()["calls"] != 0 {
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(5))
            }
            #expect(frames.all.last == .notification(method: "plugin.cancel", parameters: ["id": 2]))
            #expect(await bench.plugin()["failures"] == 0)
        }
    }

    @Test func `at most sixteen calls are with the plugin, further ones wait, too many are refused`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                // Answers nothing before it has all that it may have.
                var ids: [RequestID] = []
                while ids.count < 16, let request = wire.readRequest() { ids.append(request.id) }
                usleep(200_000)
                for id in ids { wire.send(.result(id: id, ["first": true])) }
                while let request = wire.readRequest() { wire.send(.result(id: request.id, ["first": false])) }
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            _ = await bench.host.connect(["x.echo"])
            let answers = try await withThrowingTaskGroup(of: JSONValue.self) { group in
                for _ in 0..<(16 + 64 + 5) { group.addTask { try await bench.call("x.echo") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0["result"]?["first"] == true } == 16)
            #expect(answers.count { $0["result"]?["first"] == false } == 64)
            #expect(answers.count { $0["error"]?["reason"] == "busy" } == 5)
        }
    }

    @Test func `a plugin that does not read costs its callers the deadline`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, number in
                wire.greet()
                guard number == 0 else { return wire.echo() }
                sleep(4)
            }
            defer { peer.stop() }
            bench.writeSocketManifest("CallTimeoutSec=300ms")
            await bench.reload()
            await bench.host.connect(["x.echo"])
            let large: JSONObject = ["a": .string(String(repeating: "x", count: 900_000))]
            let answers = try await withThrowingTaskGroup(of: JSONValue.self) { group in
                for _ in 0..<8 { group.addTask { try await bench.call("x.echo", large) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0["error"]?["reason"] == "timeout" } == 8)
        }
    }

    @Test func `a flood is a failure of the plugin, and everybody else has his turn`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let flood = Array(#"{"jsonrpc":"2.0","method":"led.changed","params":{}}"#.utf8) + [10]
            let peer = bench.peer { wire, number in
                wire.greet()
                guard number == 0 else { return wire.echo() }
                while wire.send(flood + flood + flood + flood) {}
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            let slowest = Recorder<Duration>()
            let watch = Task(executorPreference: bench.executor) {
                while !Task.isCancelled {
                    let begin = ContinuousClock.now
                    try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(1))
                    slowest.add(ContinuousClock.now - begin)
                }
            }
            #expect(try await bench.call("x.echo", ["a": 1])["result"] == ["a": 1])
            watch.cancel()
            #expect(bench.log.lines.all.contains { $0.text.contains("sent too many notifications") })
            // Far more than it takes, since this may be a busy machine; the black-box suite has the number that counts.
            #expect(slowest.all.max() ?? .zero < .seconds(1))
            #expect(bench.events.all.count { if case .notification = $0 { true } else { false } } <= 100)
        }
    }

    @Test func `notifications of its own operations are passed on, those of others are not`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, _ in
                wire.greet()
                wire.send(.notification(method: "led.changed", parameters: ["on": true]))
                wire.send(.notification(method: "tcp-ping.changed", parameters: [:]))
                wire.echo()
            }
            defer { peer.stop() }
            bench.writeSocketManifest()
            await bench.reload()
            _ = try await bench.call("x.echo")
            #expect(bench.events.all.dropFirst() == [.notification(method: "led.changed", parameters: ["on": true])])
            #expect(bench.log.lines.all.contains { $0.text.contains(#"Ignored notification "tcp-ping.changed""#) })
        }
    }

    /// What a plugin answers to plugin.initialize, and why that is not accepted.
    private static let greetings: [(name: String, reply: JSONValue, reason: String)] = {
        func reply(_ change: (inout JSONObject) -> Void) -> JSONValue {
            var reply = PluginInitialize.Reply(
                protocolVersion: 1,
                pluginName: "test",
                pluginVersion: "1",
                operations: [.init(name: "x.echo", isIdempotent: true)]
            ).json
            change(&reply)
            return .object(reply)
        }
        return [
            ("version", reply { $0["protocolVersion"] = 2 }, "speaks version 2"),
            ("no version", reply { $0["protocolVersion"] = nil }, "protocolVersion is not a whole number"),
            ("name", reply { $0["plugin"] = ["name": "other"] }, #"calls itself "other""#),
            ("no name", reply { $0["plugin"] = nil }, "name is not a string"),
            ("operation", reply { $0["operations"] = [["name": "y.z", "idempotent": true]] }, #"offers "y.z""#),
            (
                "twice", reply { $0["operations"] = [["name": "x.echo"], ["name": "x.echo"]] }, "offers x.echo twice"
            ),
            (
                "idempotent", reply { $0["operations"] = [["name": "power.reboot", "idempotent": true]] },
                "marks power.reboot as idempotent"
            ),
            ("operations", reply { $0["operations"] = 1 }, "operations is not an array"),
            ("string", "hello", "protocolVersion is not"),
        ]
    }()

    @Test(arguments: greetings)
    func `a greeting that is not accepted is answered with the reason`(
        name: String,
        reply: JSONValue,
        reason: String
    ) async throws {
        try await HostBench.run(random: { 0.99 }) { (bench: HostBench) async throws in
            let verdicts = Recorder<Frame>()
            let peer = bench.peer { wire, _ in
                wire.send(.result(id: wire.readRequest()?.id ?? .number(0), reply))
                while let frame = wire.read() { verdicts.add(frame) }
                verdicts.add(.notification(method: "closed", parameters: [:]))
            }
            defer { peer.stop() }
            bench.writeSocketManifest("CallTimeoutSec=100ms")
            await bench.reload()
            #expect(try await bench.call("x.echo")["error"] != nil)
            let shown = await bench.plugin()
            #expect(shown["reason"]?.stringValue?.contains(reason) == true, "\(shown)")
            while verdicts.all.count < 2 { try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(2)) }
            guard case .notification("plugin.initialized", let parameters)? = verdicts.all.first else {
                return #expect(Bool(false))
            }
            #expect(parameters["accepted"] == false)
            #expect(parameters["reason"]?.stringValue?.contains(reason) == true)
        }
    }

    @Test func `wherever a plugin dies, its caller is answered in time and the next call served`() async throws {
        let greeting = Wire.greeting(.number(1)).encoded()
        let answer = Frame.result(id: .number(2), ["a": 1]).encoded()
        let exchange = greeting + answer
        try await HostBench.run { (bench: HostBench) async throws in
            let deaths = Recorder<Int>()
            let peer = bench.peer { wire, number in
                // Each second life is a good one.
                guard number.isMultiple(of: 2) else {
                    wire.greet()
                    return wire.echo()
                }
                let length = number / 2
                deaths.add(length)
                _ = wire.readRequest()
                wire.send(Array(exchange.prefix(min(length, greeting.count))))
                guard length > greeting.count else { return }
                _ = wire.readRequest()
                wire.send(Array(exchange[greeting.count..<length]))
            }
            defer { peer.stop() }
            bench.writeSocketManifest("CallTimeoutSec=2s\nIdleTimeoutSec=1d")
            await bench.reload()
            for _ in 0..<exchange.count {
                let answer = try await bench.call("x.echo", ["a": 1])
                #expect(answer["result"] == ["a": 1])
                // Ends the good life, and forgets the failure.
                bench.writeSocketManifest(
                    "CallTimeoutSec=2s\nIdleTimeoutSec=1d",
                    plugin: "Description=\(deaths.all.count)"
                )
                await bench.reload()
            }
            #expect(deaths.all == Array(0..<exchange.count))
        }
    }

    @Test func `five failures trip the breaker, a reload closes it`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let peer = bench.peer { wire, number in
                wire.greet()
                if number >= 5 { wire.echo() }
            }
            defer { peer.stop() }
            bench.writeSocketManifest("Lifecycle=persistent", plugin: "Essential=yes")
            await bench.reload()
            let tripped = try await bench.state("tripped")
            #expect(tripped?["failures"] == 5)
            #expect(tripped?["nextAttemptSec"]?.integerValue ?? 0 > 290)
            #expect(bench.host.ailment() == "Plugin test fails: closed the connection; 5 failures in 300 s")
            let answer = try await bench.call("x.echo")
            #expect(answer["error"]?["reason"] == "unavailable")
            #expect(answer["error"]?["retryAfterSec"]?.integerValue ?? 0 > 290)
            await bench.host.essentialsSettled()
            await bench.reload()
            #expect(try await bench.state("ready") != nil)
            #expect(bench.host.ailment() == nil)
        }
    }
}
