import HostOperations
public import JSON
import Logging

/// What plugins report, and the operations of the host that are passed on as they are.
extension Supervisor {
    /// How long POST /v1/blink blinks.
    private static let blinkMilliseconds: Int64 = 15_000

    func handle(_ event: HostEvent) {
        guard !isStopping else { return }
        switch event {
        case .ready(let operations):
            if operations.contains(TCPPingEnable.name) { own { await $0.applyTCPPing() } }
            if operations.contains(CloudReport.name) { own { await $0.uplinkIsReady() } }
            // A plugin that was started for a reaping need not be asked for it again.
            if operations.contains(StorageReap.name), !reaping.isUnderWay { scheduleReaping() }
        case .gone(let operations):
            if operations.contains(TCPPingEnable.name) { heartbeat.forget() }
            if operations.contains(UplinkStatus.name) { cloudLink.forget() }
        case .notification(TCPPingState.changedNotification, let parameters):
            guard let state = try? TCPPingState(json: parameters) else {
                return logger.warning("A plugin sent \(TCPPingState.changedNotification) without its state")
            }
            heartbeat.notified()
            heartbeatIs(state)
        case .notification(UplinkState.changedNotification, let parameters):
            uplinkChanged(parameters)
        case .notification(CloudRefresh.targetChangedNotification, _):
            targetFileChanged()
        case .notification:
            break
        case .state(_, "starting", _), .state(_, "draining", _):
            // What follows shows how it went.
            break
        case .state(let plugin, let state, let reason):
            publish(.plugin(plugin, state: state, reason: reason))
            if state == "idle" { parts.onIdle() }
        }
    }

    public func blink(requestID: String?) async throws(SupervisorError) -> Bool {
        let parameters = LEDBlink.Parameters(durationMs: Self.blinkMilliseconds)
        do throws(HostOperationError) {
            return try await parts.host.call(LEDBlink.self, parameters, requestID: requestID).isSupported
        } catch {
            // A board without a LED need not bring a plugin that says so.
            if error.code == .notSupported || error.code == .noProvider { return false }
            throw SupervisorError(error)
        }
    }

    public func plugins() async -> JSONValue { await parts.host.plugins() }

    public func call(
        _ operation: String,
        _ parameters: JSONObject,
        record: Bool
    ) async throws(SupervisorError) -> JSONValue {
        do throws(HostOperationError) {
            return try await parts.host.call(named: operation, parameters, recordsFrames: record)
        } catch {
            throw SupervisorError(error)
        }
    }

    // MARK: The heartbeat

    public func setTCPPing(_ isEnabled: Bool, requestID: String?) async throws(SupervisorError) {
        try admitChange()
        guard parts.host.provides(TCPPingEnable.name) else {
            throw SupervisorError(.notSupported, "This device has no plugin for \(TCPPingEnable.name)")
        }
        try await owned { supervisor throws(SupervisorError) in
            try await supervisor.chooseTCPPing(isEnabled, requestID)
        }
    }

    private func chooseTCPPing(_ isEnabled: Bool, _ requestID: String?) async throws(SupervisorError) {
        try await heartbeat.line.enter()
        defer { heartbeat.line.leave() }
        try refuseWhileFrozen()
        if isEnabled != heartbeat.isEnabled {
            let store = parts.store
            do throws(SupervisorError) {
                try await requireDisk()
                try await onWorker { try store.save(tcpPingIsEnabled: isEnabled) }
            } catch {
                throw SupervisorError(.unavailable, "The choice could not be kept: \(error)")
            }
            heartbeat.choose(isEnabled)
            logger.notice("The TCP heartbeat is \(isEnabled ? "enabled" : "disabled")")
        }
        do throws(HostOperationError) {
            try await passOnTCPPing(requestID)
        } catch {
            // It is applied after the next handshake.
            guard error.code == .unavailable || error.isOutcomeUnknown else { throw SupervisorError(error) }
            logger.info("The setting of the TCP heartbeat will be passed on later: \(error)")
        }
    }

    /// What a user chose outlives the plugin.
    private func applyTCPPing() async {
        do throws(SupervisorError) { try await heartbeat.line.enter() } catch { return }
        defer { heartbeat.line.leave() }
        do throws(HostOperationError) {
            try await passOnTCPPing(nil)
        } catch {
            logger.warning("The setting of the TCP heartbeat was not passed on: \(error)")
        }
    }

    private func passOnTCPPing(_ requestID: String?) async throws(HostOperationError) {
        let before = heartbeat.notificationCount
        let state =
            heartbeat.isEnabled
            ? try await parts.host.call(TCPPingEnable.self, EmptyPayload(), requestID: requestID)
            : try await parts.host.call(TCPPingDisable.self, EmptyPayload(), requestID: requestID)
        // Every change is reported, so a notification that came meanwhile may be newer than the reply.
        if heartbeat.notificationCount == before { heartbeatIs(state) }
    }

    private func heartbeatIs(_ state: TCPPingState) {
        guard let isConnected = heartbeat.set(state) else { return }
        logger.info("The TCP heartbeat \(isConnected ? "is answered" : "is not answered")")
        publish(.connectivity(isConnected))
    }

    var connectivity: JSONValue { heartbeat.json(isProvided: parts.host.provides(TCPPingEnable.name)) }
}
