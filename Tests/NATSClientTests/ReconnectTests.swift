import Glibc
import NATSKeys
import NIOCore
import NIOSSL
import Testing

@testable import NATSClient

@Suite("A connection that ends", .timeLimit(.minutes(2)))
struct ReconnectTests {
    @Test(
        "by kill -9 of the server is made again, with its subscriptions; what was open ends as disconnected",
        .serialized,
        arguments: [SIGKILL, SIGINT]
    )
    func killed(signal: Int32) async throws {
        let server = try ServerProcess("listen: 127.0.0.1:\(try FakeServer.freePort())")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        var (nextOfService, nextOfDevice) = (await service.connected(), await device.connected())
        try await device.echo("echo")
        let waiting = Replies()
        try await device.bus.subscribe("mute") { _ in waiting.add("called") }
        await device.bus.barrier()
        async let call = code { () async throws(NATSError) in
            try await service.bus.request(NATSRequest("mute", payload: ByteBuffer()), deadline: ample)
        }
        while waiting.all.isEmpty { await service.bus.barrier() }
        server.stop(signal)
        #expect(await call == .disconnected)
        let request = NATSRequest("echo", payload: ByteBuffer(string: "x"))
        nextOfService = await service.failure(from: nextOfService).next
        #expect(
            await code { () async throws(NATSError) in try await service.bus.request(request, deadline: ample) }
                == .notConnected
        )
        // Refused, more than once.
        #expect(await service.failure(from: nextOfService).0.code == .unreachable)
        try server.start()
        nextOfDevice = await device.connected(from: nextOfDevice)
        await service.connected(from: nextOfService)
        #expect(String(buffer: try await service.bus.request(request, deadline: ample).payload) == "x")
    }

    @Test("is announced by the server's lame duck mode, and made again elsewhere")
    func lameDuck() async throws {
        let duck = try ServerProcess(
            "listen: 127.0.0.1:-1\nlame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\""
        )
        let other = try ServerProcess("listen: 127.0.0.1:-1")
        let client = Client([duck.address(), other.address()])
        let next = await client.connected()
        duck.signal(SIGUSR2)
        let announced = await client.wait(from: next) { if case .lameDuck = $0 { true } else { nil } }.next
        await client.connected(from: announced)
        #expect(try await client.bus.onLoop { $0.server } == other.address())
    }

    @Test("because the server is frozen is seen by its silence, and the next server is taken at once")
    func frozen() async throws {
        let (frozen, other) = (try ServerProcess("listen: 127.0.0.1:-1"), try ServerProcess("listen: 127.0.0.1:-1"))
        let client = Client([frozen.address(), other.address()]) {
            ($0.pingAfter, $0.staleAfter) = (.milliseconds(300), .milliseconds(900))
        }
        let next = await client.connected()
        frozen.signal(SIGSTOP)
        defer { frozen.signal(SIGCONT) }
        let failure = await client.failure(from: next)
        #expect(failure.0.code == .stale)
        await client.connected(from: failure.next)
        #expect(try await client.bus.onLoop { $0.server } == other.address())
        // Its own PINGs keep a quiet connection from being taken for a dead one.
        let count = client.seen.count
        try await Task.sleep(for: .seconds(2))
        #expect(client.seen.count == count)
    }

    @Test("frozen in TLS is left at once, too")
    func frozenTLS() async throws {
        let configuration = MessageTests.configuration(.tls) + "\nlisten: 127.0.0.1:-1"
        let (frozen, other) = (try ServerProcess(configuration), try ServerProcess(configuration))
        let context = try TestCertificate.context(trusting: "good")
        let client = Client([frozen.address(.tls), other.address(.tls)]) {
            ($0.pingAfter, $0.staleAfter) = (.milliseconds(200), .milliseconds(500))
            ($0.tls, $0.tlsName) = (context, "bus.example")
        }
        let next = await client.connected()
        frozen.signal(SIGSTOP)
        defer { frozen.signal(SIGCONT) }
        let failure = await client.failure(from: next)
        #expect(failure.0.code == .stale)
        let begin = NIODeadline.now()
        await client.connected(from: failure.next)
        #expect(NIODeadline.now() - begin < .seconds(3))
    }

    @Test(
        "and every failure of TLS is tried again for ever, with a text of our own",
        arguments: [
            "other authority", "wrong name", "clear port", "not configured",
        ]
    )
    func tls(failure: String) async throws {
        let server = try ServerProcess(
            "listen: 127.0.0.1:-1\n" + (failure == "clear port" ? "" : MessageTests.configuration(.tls))
        )
        let context = try TestCertificate.context(trusting: failure == "other authority" ? "other" : "good")
        let client = Client([server.address(.tls)]) {
            $0.tls = failure == "not configured" ? nil : context
            $0.tlsName = failure == "wrong name" ? "elsewhere.example" : "localhost"
        }
        var next = 0
        for _ in 0..<3 {
            let seen = await client.failure(from: next)
            #expect(seen.0.code == .tls, "\(seen.0)")
            #expect(!seen.0.message.contains("/Sources/") && !seen.0.message.contains(".cc"))
            next = seen.next
        }
        #expect(!client.seen.contains { if case .connected = $0 { true } else { false } })
    }

    @Test("by name, in TLS, without a name of its own")
    func byName() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1\n" + MessageTests.configuration(.tls))
        let context = try TestCertificate.context(trusting: "good")
        let address = NATSServer(scheme: .tls, host: "localhost", port: server.address().port)
        let client = Client([NATSServer(scheme: .tls, host: "does-not-exist.invalid", port: 1), address]) {
            $0.tls = context
        }
        #expect(await client.failure().0.code == .unreachable)
        await client.connected()
    }

    @Test("by the client's own wish uses the next credentials and loses nothing that was written")
    func reconnect() async throws {
        let fleet = Operator()
        let server = try ServerProcess(fleet.configuration())
        let (service, other) = (Client(fleet.login(server.address())), Client(fleet.login(server.address())))
        let next = await service.connected()
        await other.connected()
        let received = Replies()
        try await other.bus.subscribe("last") { received.add(String(buffer: $0.payload)) }
        await other.bus.barrier()
        service.use(fleet.login(server.address()))
        try await service.bus.onLoop { client in
            for number in 0..<1000 { try client.publish("last", payload: ByteBuffer(string: "\(number)")) }
            client.reconnect()
        }
        await service.connected(from: next)
        await other.bus.barrier()
        while received.all.count < 1000 { await other.bus.barrier() }
        #expect(received.all == (0..<1000).map { "\($0)" })
        #expect(!service.seen.contains { if case .failed = $0 { true } else { false } })
    }

    @Test("by draining receives no more, lets the open requests end, and sends what is left")
    func drain() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        await service.connected()
        await device.connected()
        let calls = Replies()
        try await device.bus.subscribe("call") { calls.add($0.reply ?? "") }
        await device.bus.barrier()
        async let answer = service.bus.request(NATSRequest("call", payload: ByteBuffer()), deadline: ample)
        while calls.all.isEmpty { await device.bus.barrier() }
        async let drained: Void = service.bus.drain(within: ample)
        await device.bus.drain(within: ample)
        let absent = NATSRequest("call", payload: ByteBuffer())
        let third = Client([server.address()])
        await third.connected()
        #expect(
            await code { () async throws(NATSError) in try await third.bus.request(absent, deadline: ample) }
                == .noResponders
        )
        try await device.bus.publish(calls.all[0], payload: ByteBuffer(string: "late but whole"))
        device.bus.close()
        #expect(String(buffer: try await answer.payload) == "late but whole")
        await drained
        await device.wait { if case .closed = $0 { true } else { nil } }
        #expect(
            await code { () async throws(NATSError) in
                try await device.bus.publish("a", payload: ByteBuffer())
            } == .notConnected
        )
    }
}
