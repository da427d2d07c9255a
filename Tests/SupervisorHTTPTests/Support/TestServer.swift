import Glibc
import Logging
import NIOCore
import NIOPosix
import SupervisorCore
import SupervisorEventLoop
import SupervisorPorts

@testable import SupervisorHTTP

/// 784111777 is the example of RFC 9110, section 5.6.7.
struct FixedClock: SupervisorClock {
    var now: Duration { .zero }
    var wallSeconds: Int64 { 784_111_777 }
    func sleep(for duration: Duration) async throws(CancellationError) {}
}

/// A server on a port of the loopback that the kernel chooses, with a device behind it.
struct TestServer: Sendable {
    static let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.next())

    let device: FakeDevice
    let port: UInt16
    let server: NIOLoopBound<HTTPServer>

    /// Runs `body` on the event loop.
    static func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Task(executorPreference: executor) { try await body() }.value
    }

    /// Starts a server, runs `body` with it and stops it.
    static func run(
        settings: HTTPServerSettings = HTTPServerSettings(port: 0, interfaces: ["*"]),
        limits: HTTPLimits = HTTPLimits(),
        control: String? = nil,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        let test = try await onLoop {
            let device = FakeDevice(executor: executor)
            let server = HTTPServer(
                executor: executor,
                device: device,
                settings: settings,
                limits: limits,
                clock: FixedClock(),
                logger: logger
            )
            await server.listen(interfaces: InterfaceSnapshot.read())
            if let control { try await server.listenForControl(path: control) }
            let port = server.addresses.values.first?.port ?? 0
            return TestServer(
                device: device,
                port: UInt16(port),
                server: NIOLoopBound(server, eventLoop: executor.loop)
            )
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(test))
        } catch {
            result = .failure(error)
        }
        await test.device.release()
        try await onLoop { await test.server.value.drain(timeout: .milliseconds(200)) }
        try result.get()
    }

    func connect() throws -> Client { try Client(port: port) }

    /// One request on a connection of its own. The key is in the query unless `key` says otherwise.
    func ask(
        _ method: String,
        _ path: String,
        key: String? = FakeDevice.key,
        headers: [String] = [],
        body: String? = nil
    ) throws -> Reply {
        let client = try connect()
        let query = key.map { (path.utf8.contains(UInt8(ascii: "?")) ? "&" : "?") + "apikey=\($0)" } ?? ""
        var lines = ["\(method) \(path)\(query) HTTP/1.1", "Host: device"] + headers
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        try client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
        return try client.reply(toHead: method == "HEAD")
    }

    /// Whether a new client gets its answer.
    func isWell() throws -> Bool { try ask("GET", "/ping").status == 200 }
}

extension TestServer {
    /// Lets time pass on the event loop.
    static func pause(_ time: TimeAmount) async throws {
        try await executor.loop.scheduleTask(in: time) {}.futureResult.get()
    }

    /// Returns when the API has that many connections, and fails after some seconds.
    func connections(are count: Int) async throws {
        for _ in 0..<1000 {
            if try await Self.onLoop({ server.value.connectionCount }) == count { return }
            try await Self.pause(.milliseconds(5))
        }
        throw ClientError(description: "there are not \(count) connections")
    }
}
