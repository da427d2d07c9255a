import Glibc
import LinuxSupport
import SupervisorPluginAPI
import TestSupport

/// A plugin in a thread of the test: listens at a unix socket and does with each connection what its script says.
final class ScriptedPeer: @unchecked Sendable {
    typealias Script = @Sendable (Wire, _ number: Int) -> Void

    let path: String
    private let listener: Int32
    private let script: Script

    init(_ path: String, _ script: @escaping Script) {
        self.path = path
        self.script = script
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let code = UnixSocketAddress(path: path)?.bind(listener)
        precondition(code == 0 && listen(listener, 8) == 0)
        TestThread.start { [listener, script] in
            var number = 0
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 { return }
                let current = number
                number += 1
                TestThread.start {
                    let wire = Wire(connection)
                    script(wire, current)
                    wire.end()
                }
            }
        }
    }

    /// Nobody listens any more; the file stays.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    func remove() {
        stop()
        unlink(path)
    }
}

/// One connection, as a plugin sees it. Blocking.
final class Wire: @unchecked Sendable {
    private let descriptor: Int32
    private var splitter = FrameSplitter()
    private var frames: [Frame] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// nil at the end of the input.
    func read() -> Frame? {
        while frames.isEmpty {
            var bytes = [UInt8](repeating: 0, count: 65536)
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return nil }
            splitter.append(bytes[..<count]) { line in
                if let bytes = try? line.get(), let frame = try? Frame(parsing: bytes) { frames.append(frame) }
            }
        }
        return frames.removeFirst()
    }

    /// Skips notifications.
    func readRequest() -> (id: RequestID, method: String, parameters: JSONObject)? {
        while let frame = read() {
            if case .request(let id, let method, let parameters) = frame { return (id, method, parameters) }
        }
        return nil
    }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ frame: Frame) -> Bool { send(frame.encoded()) }

    /// Plays its part in the handshake.
    func greet(_ operations: [(String, Bool)] = Wire.operations, name: String = "test", version: Int64 = 1) {
        guard let request = readRequest() else { return }
        send(Wire.greeting(request.id, operations, name: name, version: version))
    }

    static let operations = [("led.blink", true), ("power.reboot", false), ("x.echo", true)]

    static func greeting(
        _ id: RequestID,
        _ operations: [(String, Bool)] = operations,
        name: String = "test",
        version: Int64 = 1
    ) -> Frame {
        let reply = PluginInitialize.Reply(
            protocolVersion: version,
            pluginName: name,
            pluginVersion: "7",
            operations: operations.map { .init(name: $0.0, isIdempotent: $0.1) }
        )
        return .result(id: id, .object(reply.json))
    }

    /// Answers every call with its own parameters, until the end.
    func echo() {
        while let (id, _, parameters) = readRequest() { send(.result(id: id, .object(parameters))) }
    }

    /// Reads until the other side closes.
    func drain() {
        while read() != nil {}
    }

    func end() {
        close(descriptor)
    }
}
