import HostOperations
import JSON

@testable import SupervisorCore

/// A host in memory, with a plugin for everything, that fails or hangs when it is told to.
///
/// `@unchecked Sendable`: only used on the test's one thread.
final class FakeHost: HostOperations, @unchecked Sendable {
    static let everything: Set<String> = [
        PowerReboot.name, PowerPowerOff.name, PowerStatus.name, HostnameGet.name, HostnameSet.name, ProxyGet.name,
        ProxySet.name, ProxyClear.name, LEDBlink.name, TCPPingEnable.name, TCPPingDisable.name, TCPPingStatus.name,
        StorageReap.name,
    ]

    var provided = FakeHost.everything
    /// Names, in order.
    private(set) var calls: [String] = []
    /// The same with their parameters.
    private(set) var requests: [String] = []
    private(set) var requestIDs: [String?] = []
    private(set) var connected: [[String]] = []
    /// Called for every call and every connect before anything else.
    var onCall: (String) -> Void = { _ in }
    var hostname = "former"
    var proxy: JSONObject = [:]
    var preparing = "none"
    var hasLED = true
    var trouble: String?
    var isConnected: Bool?
    /// Called for storage.reap.
    var onReap: () -> Void = {}
    private var failures: [String: [HostOperationError]] = [:]
    private var held: Set<String> = []
    private var waiting: [(operation: String, continuation: CheckedContinuation<Void, Never>)] = []
    private var handle: (@Sendable (HostEvent) -> Void)?

    // MARK: Telling it what to do

    /// The next call fails, and the one after it with the next error.
    func fail(_ operation: String, _ errors: HostOperationError...) { failures[operation, default: []] += errors }

    func fail(_ operation: String, times: Int, _ error: HostOperationError) {
        failures[operation, default: []] += Array(repeating: error, count: times)
    }

    func forgetFailures() { failures = [:] }

    /// Calls wait from now on.
    func hold(_ operation: String) { held.insert(operation) }

    func release(_ operation: String) {
        held.remove(operation)
        let freed = waiting.filter { $0.operation == operation }
        waiting.removeAll { $0.operation == operation }
        for call in freed { call.continuation.resume() }
    }

    func forgetCalls() {
        calls = []
        requests = []
        requestIDs = []
        connected = []
    }

    func tell(_ event: HostEvent) { handle?(event) }

    // MARK: HostOperations

    func call<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ parameters: Operation.Parameters,
        requestID: String?
    ) async throws(HostOperationError) -> Operation.Reply {
        if Operation.name != PowerStatus.name { requestIDs.append(requestID) }
        let reply = try await answer(Operation.name, parameters.json)
        do throws(PluginError) {
            return try Operation.Reply(json: reply)
        } catch {
            throw HostOperationError(.failed, error.message)
        }
    }

    /// Who holds off a shutdown.
    var inhibited: String?
    /// How often that was asked for before an operation of power; not among `calls`.
    private(set) var inhibitionQueries = 0

    private func answer(_ name: String, _ parameters: JSONObject) async throws(HostOperationError) -> JSONObject {
        if name == PowerStatus.name, !calls.contains(where: [PowerReboot.name, PowerPowerOff.name].contains) {
            inhibitionQueries += 1
            guard let inhibited else { return ["preparing": "none"] }
            return ["preparing": "none", "inhibited": .string(inhibited)]
        }
        calls.append(name)
        requests.append("\(name) \(JSONValue.object(parameters).text)")
        onCall(name)
        await Task.yield()
        if held.contains(name) {
            await withCheckedContinuation { waiting.append((name, $0)) }
        }
        if failures[name]?.isEmpty == false, let error = failures[name]?.removeFirst() { throw error }
        guard provided.contains(name) else { throw HostOperationError(.noProvider, "no plugin for \(name)") }
        return perform(name, parameters)
    }

    private func perform(_ name: String, _ parameters: JSONObject) -> JSONObject {
        switch name {
        case PowerReboot.name: preparing = "reboot"
        case PowerPowerOff.name: preparing = "power-off"
        case PowerStatus.name: return ["preparing": .string(preparing)]
        case HostnameGet.name: return ["hostname": .string(hostname)]
        case HostnameSet.name: hostname = parameters["hostname"]?.stringValue ?? ""
        case ProxyGet.name: return proxy
        case ProxySet.name: proxy = parameters
        case ProxyClear.name: proxy = [:]
        case LEDBlink.name: return hasLED ? [:] : ["supported": false]
        case TCPPingEnable.name: return ["enabled": true, "connected": isConnected.map(JSONValue.bool) ?? .null]
        case TCPPingDisable.name: return ["enabled": false, "connected": nil]
        case StorageReap.name:
            onReap()
            return ["removed": 1]
        default: break
        }
        return [:]
    }

    func provides(_ operation: String) -> Bool { provided.contains(operation) }

    func connect(_ operations: [String]) async {
        connected.append(operations)
        onCall("connect")
        await Task.yield()
    }

    func observe(_ handle: @escaping @Sendable (HostEvent) -> Void) { self.handle = handle }
    func ailment() -> String? { trouble }
    func plugins() async -> JSONValue { [["name": "led"]] }

    func call(
        named operation: String,
        _ parameters: JSONObject,
        recordsFrames: Bool
    ) async throws(HostOperationError) -> JSONValue {
        ["result": .object(try await answer(operation, parameters)), "frames": .bool(recordsFrames)]
    }
}
