import JSON
import SupervisorEventLoop

@testable import SupervisorCore

/// A device behind the API of which only what reads a request is real.
actor FuzzDevice: DeviceAPI {
    private let executor: LoopExecutor
    private let apiKey = APIKey("k", isSaved: true)

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(executor: LoopExecutor) {
        self.executor = executor
    }

    func accepts(key: String) -> Bool { apiKey.accepts(key) }
    func ailment() -> String? { nil }
    func device() async -> JSONValue { ["api_port": 48484] }
    func application(_ id: AppID) throws(SupervisorError) -> JSONValue { ["appId": .integer(id.number)] }
    func requestUpdate(force: Bool) {}
    func purge(_ id: AppID, force: Bool) async throws(SupervisorError) {}
    func restart(_ id: AppID, force: Bool) async throws(SupervisorError) {}
    func stop(_ id: AppID, force: Bool) async throws(SupervisorError) -> String { "c" }
    func start(_ id: AppID) async throws(SupervisorError) -> String { "c" }
    func regenerateKey() async throws(SupervisorError) -> String { "k" }
    func blink(requestID: String?) async throws(SupervisorError) -> Bool { true }
    func reboot(force: Bool, requestID: String?) async throws(SupervisorError) {}
    func powerOff(force: Bool, requestID: String?) async throws(SupervisorError) {}
    func setTCPPing(_ isEnabled: Bool, requestID: String?) async throws(SupervisorError) {}
    func hostConfig(requestID: String?) async throws(SupervisorError) -> JSONValue { [:] }

    func setHostConfig(_ patch: JSONObject, requestID: String?) async throws(SupervisorError) {
        _ = try HostConfigurationPatch(patch)
    }

    func currentKey() -> String { "k" }
    func status() async -> JSONValue { [:] }
    func locks() async -> JSONValue { [] }
    func waitUntilUnlocked() async throws(SupervisorError) {}
    func plugins() async -> JSONValue { [] }

    func call(_ operation: String, _ parameters: JSONObject, record: Bool) async throws(SupervisorError) -> JSONValue {
        .object(parameters)
    }

    func events(maximumAge: Int64?) -> LineStream {
        let stream = LineStream(executor: executor)
        stream.assumeIsolated { $0.finish() }
        return stream
    }

    func logs(
        _ id: AppID,
        service: String?,
        tail: Int,
        follow: Bool
    ) async throws(SupervisorError) -> LineStream {
        events(maximumAge: nil)
    }

    func configuration() async -> JSONValue { [] }
    func volumes() async throws(SupervisorError) -> JSONValue { [] }
    func reload() async throws(SupervisorError) {}
}
