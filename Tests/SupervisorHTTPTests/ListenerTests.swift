import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SupervisorCore
import SupervisorEventLoop
import Testing

@testable import SupervisorHTTP

@Suite(.timeLimit(.minutes(1))) struct ListenerTests {
    private static let lo = NetworkInterface(name: "lo", index: 1, isUp: true)
    private static let docker = NetworkInterface(name: "docker0", index: 4, isUp: true)
    private static let impatient = {
        var limits = HTTPLimits()
        limits.listenRetryTime = .milliseconds(20)
        return limits
    }()
    private static let bridge = NetworkInterface(name: "supervisor1", index: 9, isUp: true)

    @Test(
        "One listener for each interface that is named and there",
        arguments: [
            (["lo"], ["lo"]), (["lo", "docker0", "tun0"], ["lo", "docker0"]), (["tun0"], []), ([], []),
            (["supervisor1"], ["supervisor1"]), (["supervisor2"], []), (["lo", "lo"], ["lo"]), (["lo", "*"], ["*"]),
            (["*"], ["*"]), (["apps", "*"], ["*"]),
        ]
    )
    func plan(interfaces: [String], expected: [String]) {
        let present = [Self.lo, Self.docker, Self.bridge]
        let targets = ListenPlan.targets(interfaces: interfaces, present: present)
        #expect(targets.map(\.name) == expected)
        #expect(targets.allSatisfy { target in target.index == present.first { $0.name == target.name }?.index })
    }

    @Test(
        "apps stands for every bridge that has the name of an app's, each once, in the order of the machine's interfaces"
    )
    func bridges() {
        let present = [
            Self.lo, Self.docker, Self.bridge, NetworkInterface(name: "supervisor0", index: 12, isUp: false),
        ]
        func names(_ interfaces: [String]) -> [String] {
            ListenPlan.targets(interfaces: interfaces, present: present).map(\.name)
        }
        #expect(names(["apps"]) == ["supervisor1", "supervisor0"])
        #expect(names(["supervisor0", "apps", "lo"]) == ["supervisor0", "supervisor1", "lo"])
        #expect(ListenPlan.targets(interfaces: ["apps"], present: [Self.lo, Self.docker]) == [])
        let other = NetworkInterface(name: "br0", index: 77, isUp: true)
        let named = ListenPlan.targets(interfaces: ["lo", "docker0"], present: [Self.lo, other], engineBridge: "br0")
        #expect(named.map(\.name) == ["lo", "br0"])
        #expect(ListenPlan.targets(interfaces: ["lo"], present: [Self.lo, other], engineBridge: "br0").count == 1)
    }

    @Test(
        "An app's bridge is called supervisor and a number",
        arguments: [
            ("supervisor0", true), ("supervisor7", true), ("supervisor12345", true), ("supervisor", false),
            ("supervisor0a", false), ("supervisor-0", false), ("supervisor 1", false), ("supervisor\u{0661}", false),
            ("xsupervisor0", false), ("Supervisor0", false), ("apps", false), ("docker0", false), ("", false),
        ]
    )
    func bridgeName(_ name: String, _ expected: Bool) {
        #expect(ListenPlan.isApplicationBridge(name) == expected)
    }

    @Test("A bridge that comes is listened on without being announced, and closed when it goes")
    func bridgesComeAndGo() async throws {
        let settings = HTTPServerSettings(port: 0, interfaces: ["lo", "apps"])
        try await TestServer.run(settings: settings, limits: Self.impatient) { server async throws in
            // The loopback's index has to do for a bridge's: what is bound is told by its name.
            let bridge = NetworkInterface(name: "supervisor3", index: Self.lo.index, isUp: true)
            let open = try await TestServer.onLoop {
                let http = server.server.value
                http.interfacesChanged(InterfaceSnapshot([bridge]))
                await http.settled()
                return http.addresses.mapValues { $0.port }
            }
            #expect(Array(open.keys) == ["supervisor3"])
            let client = try Client(port: UInt16(try #require(open["supervisor3"] ?? nil)))
            try client.send("GET /ping?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n")
            #expect(try client.reply().status == 200)

            let left = try await TestServer.onLoop {
                let http = server.server.value
                http.interfacesChanged(InterfaceSnapshot([Self.lo]))
                await http.settled()
                return Array(http.addresses.keys)
            }
            #expect(left == ["lo"])
            #expect(client.isClosed())
        }
    }

    @Test("A listener on lo answers there, goes with its interface and comes back with it")
    func comeAndGo() async throws {
        try await TestServer.run(settings: HTTPServerSettings(port: 0, interfaces: ["lo"])) {
            server async throws in
            #expect(try server.isWell())
            let kept = try server.connect()
            try kept.send("GET /ping?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n")
            #expect(try kept.reply().status == 200)

            let open = try await TestServer.onLoop {
                let http = server.server.value
                http.interfacesChanged(InterfaceSnapshot())
                await http.settled()
                return http.addresses.count
            }
            #expect(open == 0)
            #expect(kept.isClosed())
            #expect(throws: ClientError.self) { try server.connect() }

            let port = try await TestServer.onLoop {
                let http = server.server.value
                http.interfacesChanged(InterfaceSnapshot.read())
                await http.settled()
                return http.addresses["lo"]?.port
            }
            let again = try Client(port: UInt16(try #require(port)))
            try again.send("GET /ping?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n")
            #expect(try again.reply().status == 200)
        }
    }

    @Test("An interface that was made anew gets a new listener, and nobody else reaches the API by it")
    func newIndex() async throws {
        let limits = Self.impatient
        try await TestServer.run(settings: HTTPServerSettings(port: 0, interfaces: ["lo"]), limits: limits) {
            server async throws in
            let gone = NetworkInterface(name: "lo", index: 4_000_000, isUp: true)
            let other = try await server.port(after: InterfaceSnapshot([gone]))
            #expect(throws: ClientError.self) { try Client(port: other) }
            let right = try await server.port(after: InterfaceSnapshot.read())
            _ = try Client(port: right)
        }
    }

    @Test("A port that is taken is tried again until it is free, said once, and holds up nothing else")
    func taken() async throws {
        let limits = Self.impatient
        let log = LogRecorder()
        try await TestServer.run { holder in
            let settings = HTTPServerSettings(port: holder.port, interfaces: ["lo"])
            try await TestServer.run(settings: settings, limits: limits, logger: log.logger) { server async throws in
                #expect(server.port == 0)
                try await TestServer.pause(.milliseconds(100))
                try await TestServer.onLoop { await holder.server.value.drain(timeout: .zero) }
                for _ in 0..<200 where try await server.isListening(on: "lo") == false {
                    try await TestServer.pause(.milliseconds(10))
                }
                #expect(try await server.isListening(on: "lo"))
                #expect(try holder.isWell())
            }
        }
        #expect(log.lines.filter { $0.hasPrefix("error no API on lo") }.count == 1)
    }

    @Test("A server that follows another at once gets the port, although connections of the former linger")
    func restart() async throws {
        try await TestServer.run { server async throws in
            for _ in 0..<5 { #expect(try server.ask("GET", "/ping", headers: ["Connection: close"]).status == 200) }
            try await TestServer.onLoop { await server.server.value.drain(timeout: .seconds(1)) }
            let settings = HTTPServerSettings(port: server.port, interfaces: ["*"])
            try await TestServer.run(settings: settings) { next async throws in #expect(try next.isWell()) }
        }
    }

    @Test("Draining lets the answer under way be given, closes who is idle and takes nobody new")
    func drain() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            let idle = try server.connect()
            try idle.send("GET /ping?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n")
            #expect(try idle.reply().status == 200)
            let busy = try server.connect()
            try busy.send("POST /v1/apps/1/stop?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n")
            await server.device.reached(1)
            async let drained: Void = TestServer.onLoop { await server.server.value.drain(timeout: .seconds(10)) }
            #expect(idle.isClosed())
            #expect(throws: ClientError.self) { try server.connect() }
            await server.device.release()
            let reply = try busy.reply()
            #expect(reply.status == 200)
            #expect(reply.headers["connection"] == "close")
            #expect(busy.isClosed())
            try await drained
        }
    }

    @Test("Draining ends at its time-out")
    func drainTimeout() async throws {
        try await TestServer.run { server async throws in
            await server.device.hold()
            let busy = try server.connect()
            try busy.send("POST /v1/apps/1/stop?apikey=\(FakeDevice.key) HTTP/1.1\r\n\r\n")
            await server.device.reached(1)
            try await TestServer.onLoop { await server.server.value.drain(timeout: .milliseconds(30)) }
            #expect(busy.isClosed())
        }
    }

    @Test("The log has a line per request, without the query and without the key")
    func log() async throws {
        let log = LogRecorder()
        try await TestServer.run(logger: log.logger) { server async throws in
            _ = try server.ask("GET", "/ping?x=1", headers: ["X-Request-Id: one"])
            _ = try server.ask(
                "POST",
                "/v1/update",
                key: nil,
                headers: ["X-Request-Id: two", "Authorization: Bearer \(FakeDevice.key)"]
            )
            _ = try server.ask("GET", "/v1/device", key: "wrong-key", headers: ["X-Request-Id: three"])
        }
        let lines = log.lines
        #expect(
            lines.contains {
                $0.hasPrefix("debug GET /ping 200 in ") && $0.contains("request-id=one") && $0.contains("peer=")
            }
        )
        #expect(lines.contains { $0.hasPrefix("info POST /v1/update 204 in ") && $0.contains("request-id=two") })
        #expect(lines.contains { $0.hasPrefix("debug GET /v1/device 401 in ") && $0.contains("request-id=three") })
        #expect(!lines.contains { $0.contains(FakeDevice.key) || $0.contains("wrong-key") || $0.contains("x=1") })
    }
}

extension TestServer {
    /// The port of the listener on lo when the server has taken notice of these interfaces.
    func port(after interfaces: InterfaceSnapshot) async throws -> UInt16 {
        try await Self.onLoop {
            server.value.interfacesChanged(interfaces)
            await server.value.settled()
            return UInt16(server.value.addresses["lo"]?.port ?? 0)
        }
    }

    func isListening(on interface: String) async throws -> Bool {
        try await Self.onLoop { server.value.addresses[interface] != nil }
    }
}

/// Keeps what is logged, as "level message key=value".
struct LogRecorder: LogHandler {
    private let kept = NIOLockedValueBox<[String]>([])
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    var lines: [String] { kept.withLockedValue { $0 } }
    var logger: Logger { Logger(label: "test") { _ in self } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        kept.withLockedValue { $0.append("\(event.level) \(event.message) \(fields)") }
    }
}
