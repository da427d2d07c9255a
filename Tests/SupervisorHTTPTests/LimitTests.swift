import Glibc
import NIOCore
import SupervisorCore
import Testing

@testable import SupervisorHTTP

/// Time-outs and numbers, with limits short enough to wait for.
@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    private static let auth = "Host: d\r\nAuthorization: Bearer \(FakeDevice.key)\r\n"
    private static let any = HTTPServerSettings(port: 0, interfaces: ["*"], maxConnections: 3)

    private func limits(_ change: (inout HTTPLimits) -> Void) -> HTTPLimits {
        var limits = HTTPLimits()
        change(&limits)
        return limits
    }

    @Test("A head that takes too long ends with 408")
    func slowHead() async throws {
        try await TestServer.run(limits: limits { $0.headTime = .milliseconds(500) }) { server async throws in
            let client = try server.connect()
            try client.send("GET /ping HTTP/1.1\r\nHost")
            #expect(try client.reply().status == 408)
            #expect(client.isClosed())
        }
    }

    @Test("Dribbling does not buy a head more time")
    func dribble() async throws {
        try await TestServer.run(limits: limits { $0.headTime = .milliseconds(500) }) { server async throws in
            let client = try server.connect()
            try client.send("GET /ping HTTP/1.1\r\nX: ")
            let dribbling = Task.detached {
                while !Task.isCancelled {
                    try client.send("y")
                    try await TestServer.pause(.milliseconds(5))
                }
            }
            #expect(try client.reply().status == 408)
            dribbling.cancel()
            _ = await dribbling.result
        }
    }

    @Test("A client that says nothing is closed without a word")
    func silence() async throws {
        try await TestServer.run(limits: limits { $0.headTime = .milliseconds(50) }) { server async throws in
            #expect(try server.connect().rest() == "")
        }
    }

    @Test("A body that takes too long ends with 408")
    func slowBody() async throws {
        try await TestServer.run(limits: limits { $0.bodyTime = .milliseconds(50) }) { server async throws in
            let client = try server.connect()
            try client.send("POST /v1/update HTTP/1.1\r\n\(Self.auth)Content-Length: 10\r\n\r\n{")
            #expect(try client.reply().status == 408)
            #expect(client.isClosed())
            #expect(await server.device.calls.isEmpty)
        }
    }

    @Test("A connection without a request is closed after a while")
    func idle() async throws {
        try await TestServer.run(limits: limits { $0.idleTime = .milliseconds(50) }) { server async throws in
            let client = try server.connect()
            try client.send("GET /ping HTTP/1.1\r\n\(Self.auth)\r\n")
            #expect(try client.reply().status == 200)
            #expect(try client.rest() == "")
        }
    }

    @Test("No time-out cuts off an operation of the core")
    func longOperation() async throws {
        let limits = limits {
            $0.headTime = .seconds(1)
            $0.bodyTime = .milliseconds(100)
            $0.idleTime = .milliseconds(100)
            $0.writeTime = .milliseconds(100)
        }
        try await TestServer.run(limits: limits) { server async throws in
            await server.device.hold()
            let client = try server.connect()
            try client.send("POST /v1/apps/1/stop HTTP/1.1\r\n\(Self.auth)\r\n")
            await server.device.reached(1)
            // A connection that came later and is closed for its silence shows that the times are over.
            #expect(try server.connect().rest() == "")
            await server.device.release()
            #expect(try client.reply().status == 200)
        }
    }

    @Test("At the limit the connection that has been idle for longest makes room")
    func eviction() async throws {
        try await TestServer.run(settings: Self.any) { server async throws in
            let loris = try server.connect()
            try loris.send("GET /ping HTT")
            let used = try server.connect()
            try used.send("GET /ping HTTP/1.1\r\n\(Self.auth)\r\n")
            #expect(try used.reply().status == 200)
            let third = try server.connect()
            try third.send("GET /ping HTTP/1.1\r\n\(Self.auth)\r\n")
            #expect(try third.reply().status == 200)
            #expect(try server.isWell())
            #expect(loris.isClosed())
            try used.send("GET /ping HTTP/1.1\r\n\(Self.auth)\r\n")
            #expect(try used.reply().status == 200)
        }
    }

    @Test("However many hold a connection open with half a request, a whole one is answered")
    func slowLoris() async throws {
        try await TestServer.run(settings: Self.any) { server async throws in
            let attackers = try (0..<20).map { _ in
                let client = try server.connect()
                try client.send("GET /ping HTTP/1.1\r\nX: y")
                return client
            }
            #expect(try server.isWell())
            // Which of them is chosen at random.
            #expect(Client.oneEnds(of: attackers))
        }
    }

    @Test("Where all are busy with the core a new one is refused, and those at work are not disturbed")
    func allBusy() async throws {
        try await TestServer.run(settings: Self.any) { server async throws in
            await server.device.hold()
            let busy = try (1...3).map { number in
                let client = try server.connect()
                try client.send("POST /v1/apps/\(number)/stop HTTP/1.1\r\n\(Self.auth)\r\n")
                return client
            }
            await server.device.reached(3)
            #expect(try server.connect().isClosed())
            await server.device.release()
            for client in busy { #expect(try client.reply().status == 200) }
            #expect(try server.isWell())
        }
    }

    @Test("A client that does not read its answers is closed, and holds up nobody")
    func noReader() async throws {
        let limits = limits {
            $0.writeTime = .milliseconds(100)
            $0.sendBuffer = 4096
        }
        try await TestServer.run(limits: limits) { server async throws in
            await server.device.pad(300_000)
            let client = try Client(port: server.port, receiveBuffer: 4096)
            try client.send(String(repeating: "GET /v1/device HTTP/1.1\r\n\(Self.auth)\r\n", count: 50))
            await server.device.reached(1)
            await server.device.pad(0)
            #expect(try server.isWell())
            try await server.connections(are: 0)
            // Nothing of what it sent ahead was done while it did not read.
            #expect(await server.device.calls.count < 10)
        }
    }

    @Test("A client that reads slowly gets everything")
    func slowReader() async throws {
        let limits = limits {
            $0.writeTime = .milliseconds(500)
            $0.sendBuffer = 16 * 1024
        }
        try await TestServer.run(limits: limits) { server async throws in
            await server.device.pad(3_000_000)
            let client = try Client(port: server.port, receiveBuffer: 64 * 1024)
            try client.send("GET /v1/device HTTP/1.1\r\n\(Self.auth)Connection: close\r\n\r\n")
            var count = 0
            while true {
                let bytes = try client.receive(upTo: 64 * 1024)
                if bytes.isEmpty { break }
                count += bytes.count
                // The thread itself waits: a task would come back when the other tests let it.
                usleep(15_000)
            }
            #expect(count > 3_000_000)
        }
    }

    @Test("Who sends a stream ahead of an answer and closes is cut off, not kept in memory")
    func flood() async throws {
        try await TestServer.run(limits: limits { $0.sentAhead = 8 * 1024 }) { server async throws in
            await server.device.hold()
            let client = try server.connect()
            try client.send("POST /v1/apps/1/stop HTTP/1.1\r\n\(Self.auth)\r\n")
            await server.device.reached(1)
            // Little enough for the kernel to take it all, so that the end is seen while the answer is awaited.
            let flood = String(repeating: "GET /ping HTTP/1.1\r\n\(Self.auth)\r\n", count: 300)
            try client.send(flood)
            client.finishSending()
            #expect(try server.isWell())
            await server.device.release()
            let replies = try client.rest().split(separator: "HTTP/1.1 200 OK").count
            #expect(replies == 1)
        }
    }
}
