import Glibc
import Testing

@testable import SupervisorPluginAPI

/// What a session answers, over a real socket pair, to the lines that it receives.
@Suite(.timeLimit(.minutes(1)))
struct PluginSessionTests {
    let core = CoreSide()

    @Test func `a call before the handshake is answered with not initialized`() async throws {
        core.send(.request(id: .number(1), method: "led.blink", parameters: ["durationMs": 1]))
        #expect(try await core.failure(of: .number(1)).code == .notInitialized)
    }

    @Test func `a handshake names the plugin and its operations`() async throws {
        core.send(.request(id: .text("i"), method: "plugin.initialize", parameters: CoreSide.parameters))
        let reply = try await core.result(of: .text("i"))
        #expect(
            reply.text
                == #"{"protocolVersion":1,"plugin":{"name":"sample","version":"2.1"},"operations":[{"name":"hostname.get","idempotent":true},{"name":"hostname.set","idempotent":true},{"name":"power.reboot","idempotent":false}]}"#
        )
    }

    @Test func `a version that is not spoken is refused and another one may be offered`() async throws {
        var parameters = CoreSide.parameters
        parameters["protocolVersions"] = [7]
        core.send(.request(id: .number(1), method: "plugin.initialize", parameters: parameters))
        #expect(try await core.failure(of: .number(1)).code == .unsupportedVersion)
        core.send(.request(id: .number(2), method: "plugin.initialize", parameters: CoreSide.parameters))
        _ = try await core.result(of: .number(2))
    }

    @Test func `what the plugin's initialiser throws is the answer to the handshake`() async throws {
        var parameters = CoreSide.parameters
        parameters["settings"] = ["Fail": "yes"]
        core.send(.request(id: .number(1), method: "plugin.initialize", parameters: parameters))
        let error = try await core.failure(of: .number(1))
        #expect(error.reason == .invalidArgument && error.message == "Fail is set")
    }

    @Test func `calls wait for the core's acceptance`() async throws {
        core.send(.request(id: .number(1), method: "plugin.initialize", parameters: CoreSide.parameters))
        _ = try await core.result(of: .number(1))
        core.send(.request(id: .number(2), method: "hostname.get", parameters: [:]))
        #expect(try await core.failure(of: .number(2)).code == .notInitialized)
        core.send(.notification(method: "plugin.initialized", parameters: ["accepted": true]))
        core.send(.request(id: .number(3), method: "hostname.get", parameters: [:]))
        #expect(try await core.result(of: .number(3))["hostname"] == "sample-host")
    }

    @Test func `a second handshake is refused and changes nothing`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: "plugin.initialize", parameters: CoreSide.parameters))
        #expect(try await core.failure(of: .number(1)).code == .invalidRequest)
        core.send(.request(id: .number(2), method: "hostname.get", parameters: [:]))
        _ = try await core.result(of: .number(2))
    }

    @Test func `an unknown method is told and its name is cut`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: String(repeating: "x", count: 5000), parameters: [:]))
        let error = try await core.failure(of: .number(1))
        #expect(error.code == .methodNotFound)
        #expect(error.message.utf8.count < 200)
    }

    @Test func `wrong parameters are an invalid argument that names the member`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: "hostname.set", parameters: ["hostname": 5]))
        let error = try await core.failure(of: .number(1))
        #expect(error.reason == .invalidArgument)
        #expect(error.message == "hostname is not a string")
    }

    @Test func `a cancelled call is answered once, as cancelled`() async throws {
        try await core.shakeHands()
        // power.reboot of the sample ends only when its task is cancelled.
        core.send(.request(id: .number(1), method: "power.reboot", parameters: [:]))
        core.send(.notification(method: "plugin.cancel", parameters: ["id": 1]))
        core.send(.notification(method: "plugin.cancel", parameters: ["id": 1]))
        #expect(try await core.failure(of: .number(1)).code == .cancelled)
        core.send(.request(id: .number(2), method: "plugin.ping", parameters: [:]))
        #expect(try await core.result(of: .number(2))["ready"] == true)
    }

    @Test func `ping is answered while calls are under way`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: "power.reboot", parameters: [:]))
        core.send(.request(id: .number(2), method: "plugin.ping", parameters: [:]))
        #expect(try await core.result(of: .number(2))["ready"] == true)
        core.send(.notification(method: "plugin.cancel", parameters: ["id": 1]))
        _ = try await core.failure(of: .number(1))
    }

    @Test func `an id that is under way is refused for a second call`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .text("x"), method: "power.reboot", parameters: [:]))
        core.send(.request(id: .text("x"), method: "hostname.get", parameters: [:]))
        #expect(try await core.failure(of: .text("x")).code == .invalidRequest)
        core.send(.notification(method: "plugin.cancel", parameters: ["id": "x"]))
        #expect(try await core.failure(of: .text("x")).code == .cancelled)
    }

    @Test func `more calls than the protocol has are busy`() async throws {
        try await core.shakeHands()
        for number in 1...17 {
            core.send(.request(id: .number(Int64(number)), method: "power.reboot", parameters: [:]))
        }
        #expect(try await core.failure(of: .number(17)).reason == .busy)
        for number in 1...16 {
            core.send(.notification(method: "plugin.cancel", parameters: ["id": .integer(Int64(number))]))
        }
        var cancelled: Set<RequestID> = []
        for _ in 1...16 {
            guard case .failure(let id?, let error) = try await core.next() else { throw Unexpected() }
            #expect(error.code == .cancelled)
            cancelled.insert(id)
        }
        #expect(cancelled.count == 16)
    }

    @Test func `a secret that the plugin has made known is in no error`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: "hostname.set", parameters: ["hostname": "s3cret-word"]))
        let error = try await core.failure(of: .number(1))
        #expect(error.message == "cannot set [redacted]")
        #expect(error.detail == "[redacted] is bad, really [redacted]")
    }

    @Test(arguments: [
        ("nonsense", PluginError.Code.parseError, nil),
        ("[]", .invalidRequest, nil),
        (#"{"jsonrpc":"1.0","id":4,"method":"a"}"#, .invalidRequest, RequestID.number(4)),
        (#"{"jsonrpc":"2.0","id":"q","method":"a","params":[]}"#, .invalidRequest, .text("q")),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#, .invalidRequest, nil),
    ])
    func `a line that is no call is answered and forgotten`(
        line: String,
        code: PluginError.Code,
        id: RequestID?
    ) async throws {
        core.session.receive(.success(Array(line.utf8)))
        guard case .failure(let answered, let error) = try await core.next() else { throw Unexpected() }
        #expect(error.code == code)
        #expect(answered == id)
    }

    @Test func `an answer longer than a frame becomes an error`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: "hostname.set", parameters: ["hostname": "long"]))
        #expect(try await core.failure(of: .number(1)).reason == .failed)
    }

    @Test func `the end of the input cancels what is under way and then shuts the plugin down`() async throws {
        try await core.shakeHands()
        core.send(.request(id: .number(1), method: "power.reboot", parameters: [:]))
        await core.session.end()
        #expect(try await core.failure(of: .number(1)).code == .cancelled)
        #expect(try await core.next() == .notification(method: "sample.end", parameters: [:]))
        core.send(.request(id: .number(2), method: "hostname.get", parameters: [:]))
        #expect(try await core.failure(of: .number(2)).reason == .busy)
    }
}

private struct Unexpected: Error {}

/// The core's end of a connection to a `SamplePlugin`.
/// Waits on a thread of its own: the pool is what the session's tasks run on.
actor CoreSide {
    private static let thread = BlockingThread(name: "core-side")
    nonisolated var unownedExecutor: UnownedSerialExecutor { Self.thread.asUnownedSerialExecutor() }

    nonisolated let session: PluginSession<SamplePlugin>
    private let ours: Int32
    private let theirs: Int32
    private var unread: [[UInt8]] = []
    private var splitter = FrameSplitter()

    static let parameters: JSONObject = PluginInitialize.Parameters(
        supervisorVersion: "1",
        deviceType: "test",
        settings: [:]
    )
    .json

    init() {
        var pair: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
        (ours, theirs) = (pair[0], pair[1])
        session = PluginSession(FrameWriter(theirs))
    }

    deinit {
        close(ours)
        close(theirs)
    }

    nonisolated func send(_ frame: Frame) {
        session.receive(.success(Array(frame.encoded().dropLast())))
    }

    func shakeHands() throws {
        send(.request(id: .text("handshake"), method: "plugin.initialize", parameters: Self.parameters))
        _ = try result(of: .text("handshake"))
        send(.notification(method: "plugin.initialized", parameters: ["accepted": true]))
    }

    /// The next frame of the plugin, awaited for a minute.
    func next() throws -> Frame {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while unread.isEmpty {
            var readable = pollfd(fd: ours, events: Int16(POLLIN), revents: 0)
            guard poll(&readable, 1, 60_000) == 1 else { throw Unexpected() }
            let count = read(ours, &buffer, buffer.count)
            guard count > 0 else { throw Unexpected() }
            splitter.append(buffer[..<count]) { line in
                if let line = try? line.get() { unread.append(line) }
            }
        }
        return try Frame(parsing: unread.removeFirst())
    }

    func result(of id: RequestID) throws -> JSONValue {
        let frame = try next()
        guard case .result(id, let value) = frame else {
            Issue.record("\(frame) is not the result of \(id)")
            throw Unexpected()
        }
        return value
    }

    func failure(of id: RequestID) throws -> PluginError {
        let frame = try next()
        guard case .failure(id, let error) = frame else {
            Issue.record("\(frame) is not the failure of \(id)")
            throw Unexpected()
        }
        return error
    }
}

struct SamplePlugin: Plugin {
    static let name = "sample"
    static let version = "2.1"
    static let summary = "Does what the tests want."

    let context: PluginContext

    init(_ context: PluginContext) async throws(PluginError) {
        guard context.settings["Fail"] == nil else { throw PluginError(.invalidArgument, "Fail is set") }
        self.context = context
    }

    var handlers: [PluginHandler] {
        PluginHandler.immediate(HostnameGet.self) { _ throws(PluginError) in HostnamePayload(hostname: "sample-host") }
        PluginHandler(HostnameSet.self) { request throws(PluginError) in
            if request.hostname == "long" { throw PluginError(.failed, String(repeating: "x", count: 2 << 20)) }
            PluginLog.redact(request.hostname)
            throw PluginError(
                .failed,
                "cannot set \(request.hostname)",
                detail: "\(request.hostname) is bad, really \(request.hostname)"
            )
        }
        PluginHandler(PowerReboot.self) { _ throws(PluginError) in
            while !Task.isCancelled {
                do { try await Task.sleep(for: .seconds(3600)) } catch {}
            }
            throw PluginError(.failed, "given up")
        }
    }

    func shutdown() async {
        context.notify("sample.end", EmptyPayload())
    }
}
