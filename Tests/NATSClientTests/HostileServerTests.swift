import Glibc
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import NATSClient

@Suite("A server that breaks the protocol", .timeLimit(.minutes(2)))
struct HostileServerTests {
    static let info = #"INFO {"server_id":"x","version":"2","headers":true,"max_payload":1048576}"# + "\r\n"

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var code: NATSError.Code
        var bytes: [UInt8]
        var testDescription: String { name }

        init(_ name: String, _ code: NATSError.Code, _ text: String) {
            (self.name, self.code, bytes) = (name, code, Array(text.utf8))
        }
    }

    static let casesBeforeLogin = [
        Case("no NATS", .violation, "HTTP/1.1 400 Bad Request\r\n\r\n"),
        Case("endless line", .violation, String(repeating: "A", count: 5000)),
        Case("endless INFO", .violation, "INFO " + String(repeating: " ", count: 70_000)),
        Case("INFO that is no JSON", .violation, "INFO {\r\n"),
        Case("INFO that is no object", .violation, "INFO []\r\n"),
        Case("INFO without max_payload", .violation, "INFO {}\r\n"),
        Case("INFO with a huge max_payload", .violation, "INFO {\"max_payload\":1e15}\r\n"),
        Case("INFO nested deeply", .violation, "INFO " + String(repeating: "[", count: 1000) + "\r\n"),
        Case("LF alone", .violation, "INFO {}\n"),
        Case("empty line", .violation, "\r\n"),
        Case("zeros", .violation, String(repeating: "\0", count: 5000)),
        Case("half of an INFO", .disconnected, "INFO {\"max_pay"),
        Case("nothing", .disconnected, ""),
        Case("TLS demanded", .tls, #"INFO {"max_payload":1000,"tls_required":true}"# + "\r\n"),
        Case("authorization", .authorization, "-ERR 'Authorization Violation'\r\n"),
    ]

    @Test("is left before the login, with the reason, and tried again", arguments: casesBeforeLogin)
    func beforeLogin(garbage: Case) async throws {
        let server = try FakeServer { peer in
            peer.send(garbage.bytes)
            if garbage.code == .disconnected { return }
            peer.drain()
        }
        let client = Client([NATSServer(scheme: .nats, host: "127.0.0.1", port: server.port)])
        let first = await client.failure()
        #expect(first.0.code == garbage.code, "\(first.0)")
        #expect(await client.failure(from: first.next).0.code == garbage.code)
    }

    static let casesAfterLogin = [
        Case("payload too large", .violation, "MSG a 2 1048577\r\n"),
        Case("size beyond all bounds", .violation, "MSG a 2 99999999999999999999\r\n"),
        Case("negative size", .violation, "MSG a 2 -1\r\n"),
        Case("no size", .violation, "MSG a 2\r\n"),
        Case("a word too many", .violation, "MSG a 2 r 1 1\r\n"),
        Case("blanks alone", .violation, "MSG      \r\n"),
        Case("headers beyond the whole", .violation, "HMSG a 2 5 4\r\nabcd\r\n"),
        Case("no end of payload", .violation, "MSG a 2 1\r\nabcd\r\n"),
        Case("endless subject", .violation, "MSG " + String(repeating: "a", count: 5000)),
        Case("endless error", .violation, "-ERR '" + String(repeating: "a", count: 5000)),
        Case("half a payload", .disconnected, "MSG a 2 100\r\nabc"),
        Case("revoked", .authorization, "-ERR 'User Authentication Revoked'\r\n"),
        Case("stale", .disconnected, "-ERR 'Stale Connection'\r\n"),
        Case("random bytes", .violation, String(decoding: (0..<9000).map { UInt8($0 * 7919 % 251) }, as: UTF8.self)),
    ]

    @Test(
        "is left after the login, with the reason, whatever the pieces it sends",
        arguments: casesAfterLogin,
        [1, 7, 100_000]
    )
    func afterLogin(garbage: Case, piece: Int) async throws {
        let server = try FakeServer { peer in
            peer.send(Self.info)
            guard peer.receive(until: "PING\r\n") != nil else { return }
            peer.send("PONG\r\n")
            var rest = garbage.bytes[...]
            while !rest.isEmpty, peer.send(rest.prefix(piece)) { rest = rest.dropFirst(piece) }
            if garbage.code == .disconnected { return }
            peer.drain()
        }
        let client = Client([NATSServer(scheme: .nats, host: "127.0.0.1", port: server.port)])
        let next = await client.connected()
        #expect(await client.failure(from: next).0.code == garbage.code)
        await client.connected(from: next)
    }

    @Test("and messages to nothing, late answers and unknown ones are dropped")
    func dropped() async throws {
        let received = Replies()
        let server = try FakeServer { peer in
            peer.send(Self.info)
            guard let login = peer.receive(until: "PING\r\n") else { return }
            let inbox = login.split(separator: "SUB ")[1].split(separator: ">")[0]
            peer.send("PONG\r\n")
            guard peer.receive(until: "SUB real 2\r\n") != nil else { return }
            for name in [
                "0.0", "4294967295.4294967295", "99999999999.1", "", ".", "0", "0.", ".0", "0.0.0", "-1.0", "x.y",
                "0.0x",
            ] where !name.isEmpty {
                peer.send("MSG \(inbox)\(name) 1 1\r\nx\r\n")
            }
            peer.send("MSG x 1 0\r\n\r\nMSG x 99  1\r\nx\r\nPONG\r\n+OK\r\nHMSG \(inbox)0.0 1 4 4\r\nabcd\r\n")
            peer.send("HMSG real 2 27 28\r\nNATS/1.0\r\n: \r\nx\r\n: y\r\nZ:1\r\nx\r\n")
            peer.drain()
        }
        let client = Client([NATSServer(scheme: .nats, host: "127.0.0.1", port: server.port)])
        await client.connected()
        try await client.bus.subscribe("real") {
            received.add("\($0.headers["x"] ?? "-") \($0.headers["z"] ?? "-") \(String(buffer: $0.payload))")
        }
        while received.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(received.all.count == 1)
        #expect(client.seen.count == 1)
    }

    @Test(
        "by saying nothing at any point of the login is left at the deadline",
        arguments: [
            "mute", "mute after INFO", "mute in TLS", "mute to the WebSocket's request",
        ]
    )
    func mute(kind: String) async throws {
        let server = try FakeServer { peer in
            if kind == "mute after INFO" { peer.send(Self.info) }
            if kind == "mute in TLS" { peer.send(#"INFO {"max_payload":1000,"tls_required":true}"# + "\r\n") }
            peer.drain()
        }
        let context = try TestCertificate.context(trusting: "good")
        let scheme: NATSServer.Scheme = kind.hasSuffix("request") ? .ws : .nats
        let client = Client([NATSServer(scheme: scheme, host: "127.0.0.1", port: server.port)]) {
            ($0.loginDeadline, $0.tls, $0.tlsName) = (.milliseconds(300), context, "localhost")
        }
        let first = await client.failure()
        #expect(first.0.code == .loginTimedOut, "\(first.0)")
        #expect(await client.failure(from: first.next).0.code == .loginTimedOut)
    }

    @Test("can be left at any point of the login", arguments: NATSServer.Scheme.allCases)
    func left(scheme: NATSServer.Scheme) async throws {
        let server = try FakeServer { $0.drain() }
        let context = try TestCertificate.context(trusting: "good")
        let client = Client([NATSServer(scheme: scheme, host: "127.0.0.1", port: server.port)]) {
            ($0.tls, $0.tlsName) = (context, "localhost")
        }
        try await Task.sleep(for: .milliseconds(50))
        client.bus.reconnect()
        try await Task.sleep(for: .milliseconds(50))
        client.bus.close()
        await client.wait { if case .closed = $0 { true } else { nil } }
        #expect(client.seen.count == 1)
    }

    @Test("that sends something between INFO and TLS is left: anyone could have put it there")
    func injection() async throws {
        let server = try FakeServer { peer in
            peer.send(#"INFO {"max_payload":1000,"tls_required":true}"# + "\r\n+OK\r\n")
            peer.drain()
        }
        let context = try TestCertificate.context(trusting: "good")
        let client = Client([NATSServer(scheme: .tls, host: "127.0.0.1", port: server.port)]) {
            ($0.tls, $0.tlsName) = (context, "localhost")
        }
        #expect(await client.failure().0.code == .violation)
    }

    @Test("that floods with PINGs and reads nothing is left, and does not fill the memory")
    func flood() async throws {
        let server = try FakeServer { peer in
            peer.send(Self.info)
            guard peer.receive(until: "PING\r\n") != nil else { return }
            peer.send("PONG\r\n")
            let pings = Array(String(repeating: "PING\r\n", count: 10_000).utf8)
            while peer.send(pings) {}
        }
        let client = Client([NATSServer(scheme: .nats, host: "127.0.0.1", port: server.port)]) {
            $0.outgoingLimit = 1 << 20
        }
        let next = await client.connected()
        #expect(await client.failure(from: next).0.code == .violation)
    }
}
