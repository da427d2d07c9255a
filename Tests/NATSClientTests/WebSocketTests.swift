import Glibc
import NIOCore
import Testing

@testable import NATSClient

@Suite("A WebSocket to a fake server", .timeLimit(.minutes(2)))
struct WebSocketTests {
    /// The answer to a request for a WebSocket (RFC 6455, section 4.2.2), computed by openssl(1).
    static func accept(_ request: String) -> String {
        let key =
            request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }
            .map { $0.split(separator: " ")[1] } ?? ""
        let pipe = popen(
            "printf %s '\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11' | openssl sha1 -binary | openssl base64",
            "r"
        )
        var line = [CChar](repeating: 0, count: 64)
        fgets(&line, 64, pipe)
        pclose(pipe)
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(text)\r\n\r\n"
    }

    /// A message in fragments of a size, a ping after every third one.
    static func frames(_ text: String, by size: Int) -> [UInt8] {
        let bytes = Array(text.utf8)
        var frames: [UInt8] = []
        for (number, start) in stride(from: 0, to: bytes.count, by: size).enumerated() {
            let piece = bytes[start..<min(start + size, bytes.count)]
            let opcode: UInt8 = (number == 0 ? 2 : 0) | (start + size >= bytes.count ? 0x80 : 0)
            frames +=
                [opcode]
                + (piece.count < 126 ? [UInt8(piece.count)] : [126, UInt8(piece.count >> 8), UInt8(piece.count & 255)])
            frames += piece
            if number % 3 == 2 { frames += [0x89, 2, 1, 2] }
        }
        return frames
    }

    @Test("takes messages in fragments of any size, from the packet of the 101 on", arguments: [1, 7, 1000])
    func fragments(size: Int) async throws {
        let (received, payload) = (Replies(), String(repeating: "0123456789", count: 500))
        let server = try FakeServer { peer in
            guard let request = peer.receive(until: "\r\n\r\n") else { return }
            #expect(request.hasPrefix("GET /bus HTTP/1.1\r\n"))
            let frames = Self.frames(HostileServerTests.info + "PONG\r\nMSG a 2 5000\r\n\(payload)\r\n", by: size)
            peer.send(Array(Self.accept(request).utf8) + frames)
            peer.drain()
        }
        let client = Client([NATSServer(scheme: .ws, host: "127.0.0.1", port: server.port, path: "/bus")])
        try await client.bus.subscribe("a") { received.add(String(buffer: $0.payload)) }
        await client.connected()
        while received.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(received.all == [payload])
    }

    @Test(
        "that is refused, or closed, is reported with the answer",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 OK"),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found"),
            ("HTTP/1.1 403 Access violation\r\n\r\n", "403 "),
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
                ""
            ),
            ("INFO {}\r\n\r\n", ""), ("", "closed"),
        ]
    )
    func refused(answer: String, text: String) async throws {
        let server = try FakeServer { peer in
            guard peer.receive(until: "\r\n\r\n") != nil else { return }
            peer.send(answer)
            if !answer.isEmpty { peer.drain() }
        }
        let client = Client([NATSServer(scheme: .ws, host: "127.0.0.1", port: server.port)])
        let first = await client.failure()
        #expect(first.0.code == .upgradeRefused, "\(first.0)")
        #expect(first.0.message.contains(text))
        #expect(await client.failure(from: first.next).0.code == .upgradeRefused)
    }

    @Test(
        "with a frame that is too large, or a close, ends the connection",
        arguments: [
            [0x82, 127, 0, 0, 0, 0, 0xFF, 0, 0, 0], [0x88, 2, 3, 0xE8], [0x8F, 0], [0x72, 1, 1],
        ] as [[UInt8]]
    )
    func bad(frame: [UInt8]) async throws {
        let server = try FakeServer { peer in
            guard let request = peer.receive(until: "\r\n\r\n") else { return }
            peer.send(Array(Self.accept(request).utf8) + Self.frames(HostileServerTests.info + "PONG\r\n", by: 1000))
            peer.send(frame)
            peer.drain()
        }
        let client = Client([NATSServer(scheme: .ws, host: "127.0.0.1", port: server.port)])
        let next = await client.connected()
        _ = await client.failure(from: next)
        await client.connected(from: next)
    }
}
