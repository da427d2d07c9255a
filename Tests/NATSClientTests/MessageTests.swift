import Glibc
import NATSKeys
import NIOCore
import NIOSSL
import Testing

@testable import NATSClient

@Suite("Messages through a real nats-server", .timeLimit(.minutes(2)))
struct MessageTests {
    static let uuid = LoginTests.uuid
    static let sizes = [
        0, 1, 2, 100, 124, 125, 126, 127, 128, 1000, 4095, 4096, 4097, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537,
        130_000, 262_000,
    ]

    /// The configuration of a server that takes this scheme.
    static func configuration(_ scheme: NATSServer.Scheme) -> String {
        switch scheme {
        case .nats: "max_payload: 1MB"
        case .tls: "max_payload: 1MB\ntls \(TestCertificate.block)"
        case .ws: "max_payload: 1MB\nwebsocket { listen: \"127.0.0.1:-1\", no_tls: true }"
        case .wss: "max_payload: 1MB\nwebsocket { listen: \"127.0.0.1:-1\", tls \(TestCertificate.block) }"
        }
    }

    @Test("arrive whole whatever their size, by each way", arguments: NATSServer.Scheme.allCases)
    func sizes(scheme: NATSServer.Scheme) async throws {
        let fleet = Operator()
        let server = try ServerProcess(fleet.configuration(extra: Self.configuration(scheme)))
        let context = try TestCertificate.context(trusting: "good")
        func prepare(_ configuration: inout NATSClientConfiguration) {
            configuration.tls = context
            configuration.tlsName = "bus.example"
        }
        let address = server.address(scheme)
        let device = try await Client.device(fleet.login(address, device: Self.uuid), uuid: Self.uuid, prepare)
        let service = Client(fleet.login(address), prepare)
        await service.connected()
        for size in Self.sizes {
            for hasHeader in [false, true] {
                var headers = NATSHeaders()
                if hasHeader { try headers.add("X", "value \(size) é") }
                let payload = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) })
                let request = NATSRequest("sup.v1.dev.\(Self.uuid).call", headers: headers, payload: payload)
                let reply = try await service.bus.request(request, deadline: ample)
                #expect(reply.payload == payload, "\(size) bytes")
                #expect(reply.headers["x"] == (hasHeader ? "value \(size) é" : nil))
            }
        }
        let requests = (0..<2000).map { index in
            NATSRequest("sup.v1.dev.\(Self.uuid).call", payload: ByteBuffer(string: "\(index)"))
        }
        var answers = [Int: String]()
        for await batch in service.bus.fanOut(requests, window: 500, deadline: ample) {
            for result in batch { answers[result.index] = String(buffer: try result.result.get().payload) }
        }
        #expect(answers.count == 2000)
        #expect(answers.allSatisfy { "\($0.key)" == $0.value })
        #expect(device.seen.count == 1)
    }

    @Test("are refused before they are sent where they cannot be")
    func refused() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1\nmax_payload: 1000")
        let client = Client([server.address()])
        let call = NATSRequest("a", payload: ByteBuffer(repeating: 1, count: 1001))
        #expect(
            await code { () async throws(NATSError) in try await client.bus.request(call, deadline: ample) }
                == .notConnected
        )
        await client.connected()
        #expect(
            await code { () async throws(NATSError) in try await client.bus.request(call, deadline: ample) }
                == .payloadTooLarge
        )
        for subject in [
            "", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "a\r\nPUB b 0\r\n", "é",
            String(repeating: "a", count: 1025),
        ] {
            let error = await code { () async throws(NATSError) in
                try await client.bus.publish(subject, payload: ByteBuffer())
            }
            #expect(error == .invalid, "\(subject)")
        }
        var headers = NATSHeaders()
        for (name, value) in [("", "x"), ("a b", "x"), ("a:", "x"), ("a", "x\r\ny: z"), ("a", "\u{0}"), ("é", "x")] {
            #expect(throws: NATSError.self) { try headers.add(name, value) }
        }
        #expect(headers.isEmpty)
        #expect(client.seen.count == 1)
    }

    @Test("that nothing serves end as «no responders», each of them and no other")
    func noResponders() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        await service.connected()
        await device.connected()
        try await device.echo("there.*")
        await device.bus.barrier()
        let requests = (0..<3000).map {
            NATSRequest("\($0 % 3 == 0 ? "away" : "there").\($0)", payload: ByteBuffer(string: "x"))
        }
        var (absent, answered) = (0, 0)
        for await batch in service.bus.fanOut(requests, deadline: ample) {
            for result in batch {
                switch result.result {
                case .success: answered += result.index % 3 == 0 ? 0 : 1
                case .failure(let error): absent += error.code == .noResponders && result.index % 3 == 0 ? 1 : 0
                }
            }
        }
        #expect(absent == 1000)
        #expect(answered == 2000)
    }

    @Test("are each sent once, however many there are and however the socket takes them", arguments: [100, 1000, 3000])
    func once(window: Int) async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        await service.connected()
        await device.connected()
        let received = Replies()
        _ = try await device.bus.onLoop { client in
            try client.subscribe("once.*") { message in
                received.add(message.subject)
                try? client.publish(message.reply ?? "", payload: message.payload)
            }
        }
        await device.bus.barrier()
        let requests = (0..<6000).map { NATSRequest("once.\($0)", payload: ByteBuffer(string: "\($0)")) }
        var answers = Set<Int>()
        for await batch in service.bus.fanOut(requests, window: window, deadline: ample) {
            for result in batch where (try? result.result.get().payload) == ByteBuffer(string: "\(result.index)") {
                #expect(answers.insert(result.index).inserted)
            }
        }
        #expect(answers.count == 6000)
        #expect(received.all.count == 6000)
        #expect(Set(received.all).count == 6000)
    }

    @Test("to one that does not answer end at their deadline; its late answer disturbs no other request")
    func deadline() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        await service.connected()
        await device.connected()
        let late = Replies()
        try await device.bus.subscribe("mute") { message in late.add(message.reply ?? "") }
        try await device.echo("there")
        await device.bus.barrier()
        let mute = NATSRequest("mute", payload: ByteBuffer(string: "x"))
        let begin = NIODeadline.now()
        #expect(
            await code { () async throws(NATSError) in
                try await service.bus.request(mute, deadline: .milliseconds(300))
            } == .deadlineExceeded
        )
        let took = NIODeadline.now() - begin
        #expect(took >= .milliseconds(300) && took < .seconds(5))
        while late.all.isEmpty { await device.bus.barrier() }
        #expect(late.all.count == 1)
        // The slot has another tenant when the answer comes.
        try await device.bus.publish(late.all[0], payload: ByteBuffer(string: "late"))
        let reply = try await service.bus.request(
            NATSRequest("there", payload: ByteBuffer(string: "in time")),
            deadline: ample
        )
        #expect(String(buffer: reply.payload) == "in time")
    }

    @Test("come in parts, as many as are sent, until the deadline between two of them")
    func parts() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        await service.connected()
        await device.connected()
        _ = try await device.bus.onLoop { client in
            try client.subscribe("stream") { message in
                for part in 0..<40 { try? client.publish(message.reply ?? "", payload: ByteBuffer(string: "\(part)")) }
            }
        }
        await device.bus.barrier()
        var parts: [String] = []
        let error = await #expect(throws: NATSError.self) {
            for try await part in service.bus.replies(
                to: NATSRequest("stream", payload: ByteBuffer()),
                deadline: .seconds(1)
            ) { parts.append(String(buffer: part.payload)) }
        }
        #expect(error?.code == .deadlineExceeded)
        #expect(parts == (0..<40).map { "\($0)" })
        #expect(try await service.bus.onLoop { $0.requests.count } == 0)
    }

    @Test("of a subscription with a limit are as many as the limit says")
    func limit() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let (service, device) = (Client([server.address()]), Client([server.address()]))
        await service.connected()
        await device.connected()
        let received = Replies()
        _ = try await device.bus.onLoop { client in
            try client.subscribe("few", limit: 3) { received.add(String(buffer: $0.payload)) }
        }
        await device.bus.barrier()
        for number in 0..<5 { try await service.bus.publish("few", payload: ByteBuffer(string: "\(number)")) }
        await service.bus.barrier()
        await device.bus.barrier()
        #expect(received.all == ["0", "1", "2"])
        #expect(try await device.bus.onLoop { $0.subscriptions.count } == 0)
    }

    @Test("that the server does not take fast enough are refused, and memory stays bounded")
    func overload() async throws {
        let server = try ServerProcess("listen: 127.0.0.1:-1")
        let client = Client([server.address()]) { $0.outgoingLimit = 1 << 20 }
        await client.connected()
        server.signal(SIGSTOP)
        defer { server.signal(SIGCONT) }
        let payload = ByteBuffer(repeating: 1, count: 100_000)
        var refused = 0
        for _ in 0..<200 {
            let error = await code { () async throws(NATSError) in try await client.bus.publish("a", payload: payload) }
            if error == .overloaded { refused += 1 }
        }
        // The sockets' buffers take some megabytes.
        #expect(refused > 50)
        #expect(try await client.bus.onLoop { $0.connection?.backlog ?? 0 } <= 1 << 20)
    }
}
