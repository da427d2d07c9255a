import Glibc
import JSON
import NIOCore
import SupervisorCore
import Testing

@testable import SupervisorHTTP

@Suite(.timeLimit(.minutes(1))) struct StreamTests {
    private let path = "/tmp/supervisor-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"

    /// Reads until `text` has come; everything up to then.
    private func read(_ client: Client, upTo text: String) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let piece = try client.receive()
            bytes += piece
            let all = String(decoding: bytes, as: UTF8.self)
            if all.contains(text) { return all }
            guard !piece.isEmpty else { throw ClientError(description: "ended after \(all)") }
        }
    }

    private func begin(_ line: String) throws -> Client {
        let client = try Client(path: path)
        try client.send("\(line)\r\n\r\n")
        return client
    }

    @Test("Lines are sent in chunks as they come, and the end is told")
    func chunks() async throws {
        try await TestServer.run(control: path) { server async throws in
            let client = try begin("GET /control/events HTTP/1.1")
            let head = try read(client, upTo: "\r\n\r\n")
            #expect(
                head.hasPrefix(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
                )
            )
            #expect(head.contains("\r\nConnection: close\r\n"))
            await server.device.reached(1)
            await server.device.tell(["a": 1])
            #expect(try read(client, upTo: "}\n\r\n") == "8\r\n{\"a\":1}\n\r\n")
            await server.device.tell(["b": "c"])
            #expect(try read(client, upTo: "}\n\r\n") == "a\r\n{\"b\":\"c\"}\n\r\n")
            await server.device.endStreams()
            #expect(try client.rest() == "0\r\n\r\n")
            #expect(try server.isWell())
        }
    }

    @Test("The older protocol gets the lines bare, and a HEAD none")
    func old() async throws {
        try await TestServer.run(control: path) { server async throws in
            let old = try begin("GET /control/events HTTP/1.0")
            await server.device.reached(1)
            await server.device.tell(["a": 1])
            #expect(!(try read(old, upTo: "\r\n\r\n{\"a\":1}\n")).contains("chunked"))
            let head = try begin("HEAD /control/events HTTP/1.1")
            #expect(try head.rest().hasSuffix("\r\n\r\n"))
            await server.device.reached(3)
        }
    }

    @Test(
        "The query says what is wanted",
        arguments: [
            ("events", "events all"), ("events?since=60", "events 60"), ("events?since=0", "events 0"),
            ("logs?app=7", "logs 7 - 100 false"),
            ("logs?app=7&service=a%2Fb&tail=5&follow=1", "logs 7 a/b 5 true"),
        ]
    )
    func queries(_ target: String, _ call: String) async throws {
        try await TestServer.run(control: path) { server async throws in
            let client = try begin("GET /control/\(target) HTTP/1.1")
            await server.device.reached(1)
            #expect(await server.device.calls == [call])
            _ = client
        }
    }

    @Test("What cannot be had is an answer like any other")
    func failure() async throws {
        try await TestServer.run(control: path) { server async throws in
            await server.device.fail(SupervisorError(.notFound, "There is no application 7 on this device"))
            let reply = try begin("GET /control/logs?app=7 HTTP/1.1").reply()
            #expect(reply.status == 404)
            #expect(reply.body == "There is no application 7 on this device")
        }
    }

    @Test("A reader who leaves ends his stream, also one who only stops sending")
    func leaving() async throws {
        try await TestServer.run(control: path) { server async throws in
            do {
                let client = try begin("GET /control/events HTTP/1.1")
                _ = try read(client, upTo: "\r\n\r\n")
            }
            await server.device.reached(2)
            let half = try begin("GET /control/events HTTP/1.1")
            await server.device.reached(3)
            half.finishSending()
            await server.device.reached(4)
            #expect(await server.device.calls == ["events all", "stream ended", "events all", "stream ended"])
        }
    }

    @Test("A reader who does not read holds up nobody, and is told how much he has missed")
    func slow() async throws {
        try await TestServer.run(control: path) { server async throws in
            let slow = try begin("GET /control/events HTTP/1.1")
            let quick = try begin("GET /control/events HTTP/1.1")
            _ = try read(quick, upTo: "\r\n\r\n")
            await server.device.reached(2)
            // Four times what the kernel and the stream hold together.
            let text = String(repeating: "x", count: 1000)
            for number in 0..<2000 {
                await server.device.tell(["n": .integer(Int64(number)), "text": .string(text)])
                if number % 20 == 19 { _ = try read(quick, upTo: "\"n\":\(number),") }
            }
            await server.device.endStreams()
            let all = try slow.rest()
            #expect(all.contains(#""event":"lines.lost","count":"#))
            #expect(all.contains("\"n\":0,") && all.contains("\"n\":1999,"))
            #expect(all.utf8.count < 1 << 20)
            #expect(all.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test("Too many streams are refused, unless one of them is not read")
    func limit() async throws {
        var limits = HTTPLimits()
        limits.streams = 2
        limits.stallTime = .milliseconds(50)
        try await TestServer.run(limits: limits, control: path) { server async throws in
            let first = try begin("GET /control/events HTTP/1.1")
            await server.device.reached(1)
            let second = try begin("GET /control/events HTTP/1.1")
            _ = try read(second, upTo: "\r\n\r\n")
            await server.device.reached(2)
            let third = try begin("GET /control/events HTTP/1.1").reply()
            #expect(third.status == 503)
            #expect(third.body == "Too many streams are being read")
            // The first one takes nothing; the second everything.
            let text = String(repeating: "x", count: 20_000)
            for number in 0..<20 {
                await server.device.tell(["n": .integer(Int64(number)), "text": .string(text)])
                _ = try read(second, upTo: "\"n\":\(number),")
            }
            await server.device.tell(["last": true])
            _ = try read(second, upTo: "\"last\"")
            try await TestServer.pause(.milliseconds(100))
            let fourth = try begin("GET /control/events HTTP/1.1")
            #expect(try read(fourth, upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
            #expect(!(try first.rest()).hasSuffix("0\r\n\r\n"))
            await server.device.tell(["still": true])
            _ = try read(second, upTo: "\"still\"")
        }
    }

    @Test("Streams end when the server stops, with what was told before")
    func drain() async throws {
        try await TestServer.run(control: path) { server async throws in
            let client = try begin("GET /control/events HTTP/1.1")
            await server.device.reached(1)
            await server.device.tell(["a": 1])
            try await TestServer.onLoop { await server.server.value.drain(timeout: .seconds(5)) }
            #expect(try client.rest().hasSuffix("{\"a\":1}\n\r\n0\r\n\r\n"))
        }
    }
}
