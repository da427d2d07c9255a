import JSON
import NIOCore
import SupervisorCore
import SupervisorEventLoop
import Testing

/// A device that answers at once, fails or waits as it is told, and keeps account of what it was asked.
actor FakeDevice: DeviceAPI {
    static let key = String(repeating: "0123456789abcdef", count: 4)
    static let newKey = String(repeating: "fedcba9876543210", count: 4)
    static let container = String(repeating: "5f", count: 32)

    private let executor: LoopExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var key = FakeDevice.key
    private var trouble: String?
    private var failure: SupervisorError?
    private var extra = ""
    private var hasLED = true
    private var isHeld = false
    private var held: [CheckedContinuation<Void, Never>] = []
    private(set) var calls: [String] = []
    private var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    /// Ends the waiting of a test whose calls do not come.
    private var patience: Scheduled<Void>?

    init(executor: LoopExecutor) {
        self.executor = executor
    }

    // MARK: Orders of the test

    func ail(_ text: String?) { trouble = text }
    func fail(_ error: SupervisorError?) { failure = error }
    func takeLED() { hasLED = false }
    /// Makes the answer of GET /v1/device longer.
    func pad(_ count: Int) { extra = String(repeating: "x", count: count) }
    /// Operations wait until `release()`.
    func hold() { isHeld = true }

    func release() {
        isHeld = false
        for continuation in held { continuation.resume() }
        held = []
    }

    /// Returns when that many calls have been noted, or after ten seconds with an issue.
    func reached(_ count: Int) async {
        // Checked within the closure: a task without a preference for this executor, as a test is, may be enqueued anew
        // before the closure runs.
        await withCheckedContinuation { continuation in
            if calls.count >= count {
                continuation.resume()
            } else {
                watchers.append((count, continuation))
                patience?.cancel()
                patience = executor.loop.scheduleTask(in: .seconds(10)) { self.assumeIsolated { $0.giveUp() } }
            }
        }
    }

    private func giveUp() {
        guard !watchers.isEmpty else { return }
        Issue.record("the device was called \(calls.count) times only: \(calls)")
        for watcher in watchers { watcher.continuation.resume() }
        watchers = []
    }

    private func note(_ call: String) {
        calls.append(call)
        for watcher in watchers where watcher.count <= calls.count { watcher.continuation.resume() }
        watchers.removeAll { $0.count <= calls.count }
    }

    private func work(_ call: String) async throws(SupervisorError) {
        note(call)
        await withCheckedContinuation { continuation in
            if isHeld {
                held.append(continuation)
            } else {
                continuation.resume()
            }
        }
        if let failure { throw failure }
    }

    // MARK: DeviceAPI

    func accepts(key: String) -> Bool { key == self.key }
    func ailment() -> String? { trouble }

    func device() async -> JSONValue {
        try? await work("device")
        return extra.isEmpty ? ["api_port": 48484, "commit": nil] : ["padding": .string(extra)]
    }

    func application(_ id: AppID) throws(SupervisorError) -> JSONValue {
        note("application \(id)")
        if let failure { throw failure }
        return ["appId": .integer(id.number), "commit": "abc", "env": ["FOO": "bar"]]
    }

    func requestUpdate(force: Bool) { note("update \(force)") }
    func purge(_ id: AppID, force: Bool) async throws(SupervisorError) { try await work("purge \(id) \(force)") }
    func restart(_ id: AppID, force: Bool) async throws(SupervisorError) { try await work("restart \(id) \(force)") }

    func stop(_ id: AppID, force: Bool) async throws(SupervisorError) -> String {
        try await work("stop \(id) \(force)")
        return Self.container
    }

    func start(_ id: AppID) async throws(SupervisorError) -> String {
        try await work("start \(id)")
        return Self.container
    }

    func regenerateKey() async throws(SupervisorError) -> String {
        try await work("regenerate")
        key = Self.newKey
        return key
    }

    // MARK: The host

    func blink(requestID: String?) async throws(SupervisorError) -> Bool {
        try await work("blink \(requestID ?? "-")")
        return hasLED
    }

    func reboot(force: Bool, requestID: String?) async throws(SupervisorError) {
        try await work("reboot \(force) \(requestID ?? "-")")
    }

    func powerOff(force: Bool, requestID: String?) async throws(SupervisorError) {
        try await work("power-off \(force) \(requestID ?? "-")")
    }

    func setTCPPing(_ isEnabled: Bool, requestID: String?) async throws(SupervisorError) {
        try await work("tcp-ping \(isEnabled) \(requestID ?? "-")")
    }

    func hostConfig(requestID: String?) async throws(SupervisorError) -> JSONValue {
        try await work("host-config \(requestID ?? "-")")
        return ["network": ["proxy": nil, "hostname": "box"]]
    }

    func setHostConfig(_ patch: JSONObject, requestID: String?) async throws(SupervisorError) {
        try await work("host-config \(requestID ?? "-") \(JSONValue.object(patch).text)")
    }

    func plugins() async -> JSONValue { [["name": "led"]] }

    func call(_ operation: String, _ parameters: JSONObject, record: Bool) async throws(SupervisorError) -> JSONValue {
        try await work("call \(operation) \(JSONValue.object(parameters).text) \(record)")
        return ["result": [:]]
    }

    // MARK: The control socket

    func currentKey() -> String { key }
    func status() async -> JSONValue { ["health": ["healthy": true]] }
    func locks() async -> JSONValue { [["appId": 1]] }

    func waitUntilUnlocked() async throws(SupervisorError) {
        note("wait")
        while isHeld {
            let executor = executor
            await withCheckedContinuation { continuation in
                _ = executor.loop.scheduleTask(in: .milliseconds(5)) { continuation.resume() }
            }
            if Task.isCancelled {
                note("wait cancelled")
                throw SupervisorError(.unavailable, "The wait was ended")
            }
        }
    }

    func reload() async throws(SupervisorError) { try await work("reload") }

    // MARK: Streams

    private var streams: [LineStream] = []
    private(set) var endedStreams = 0

    /// Has every stream that is open give this line.
    func tell(_ line: JSONValue) {
        for stream in streams { stream.assumeIsolated { $0.push(line) } }
    }

    /// Ends every stream that is open.
    func endStreams() {
        for stream in streams { stream.assumeIsolated { $0.finish() } }
    }

    private func open(_ call: String) -> LineStream {
        let stream = LineStream(executor: executor, capacity: 64 << 10)
        stream.assumeIsolated { stream in
            stream.atEnd { self.assumeIsolated { $0.streamEnded() } }
        }
        streams.append(stream)
        note(call)
        return stream
    }

    private func streamEnded() {
        endedStreams += 1
        note("stream ended")
    }

    func events(maximumAge: Int64?) -> LineStream { open("events \(maximumAge.map { "\($0)" } ?? "all")") }

    func logs(
        _ id: AppID,
        service: String?,
        tail: Int,
        follow: Bool
    ) async throws(SupervisorError) -> LineStream {
        if let failure { throw failure }
        return open("logs \(id) \(service ?? "-") \(tail) \(follow)")
    }

    func configuration() async -> JSONValue { [["key": "Port"]] }
    func volumes() async throws(SupervisorError) -> JSONValue { [["name": "1_data"]] }
}
