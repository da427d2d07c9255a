import LinuxSupport
import Synchronization

/// The plugin's side of one connection: handshake, calls under way, cancellation, end.
///
/// `receive` is called by the thread that reads; everything else runs in tasks.
final class PluginSession<P: Plugin>: Sendable {
    private enum Phase {
        /// Before plugin.initialize.
        case new
        /// Until plugin.initialized says that the core has accepted.
        case handshake
        case accepted
        case ending
    }

    private struct State {
        var phase = Phase.new
        var plugin: P?
        var handlers: [String: PluginHandler] = [:]
        var calls: [RequestID: Task<Void, Never>] = [:]
        var shutdown: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let writer: FrameWriter

    init(_ writer: FrameWriter) {
        self.writer = writer
    }

    /// Takes a line of the input.
    func receive(_ line: Result<[UInt8], FrameError>) {
        let frame: Frame
        do throws(FrameError) {
            frame = try Frame(parsing: try line.get())
        } catch {
            let code: PluginError.Code = error.kind == .parse ? .parseError : .invalidRequest
            return writer.write(.failure(id: error.id, PluginError(code: code, error.reason)))
        }
        switch frame {
        case .request(let id, let method, let parameters): receive(id, method, parameters)
        case .notification(let method, let parameters): receive(method, parameters)
        // A plugin never calls, so there is nothing to answer.
        case .result, .failure: break
        }
    }

    private func receive(_ id: RequestID, _ method: String, _ parameters: JSONObject) {
        var immediate: (@Sendable (JSONObject) throws(PluginError) -> JSONObject)?
        let refusal = state.withLock { state -> PluginError? in
            guard state.calls[id] == nil else {
                return PluginError(code: .invalidRequest, "a call with this id is under way")
            }
            switch method {
            case PluginInitialize.name:
                guard state.phase == .new else { return PluginError(code: .invalidRequest, "initialized already") }
                state.phase = .handshake
                start(id, method, &state) { _ throws(PluginError) in try await self.initialize(parameters) }
            case PluginPing.name:
                let plugin = state.plugin
                start(id, method, &state) { _ throws(PluginError) in
                    await (plugin?.readiness() ?? PluginPing.Reply(isReady: false, reason: "not initialized")).json
                }
            case PluginShutdown.name:
                end(answering: id, &state)
            default:
                return call(id, method, parameters, &state, &immediate)
            }
            return nil
        }
        if let refusal { writer.write(.failure(id: id, refusal)) }
        if let immediate { answer(id, method, parameters, immediate) }
    }

    /// On the thread that reads.
    private func answer(
        _ id: RequestID,
        _ method: String,
        _ parameters: JSONObject,
        _ body: @Sendable (JSONObject) throws(PluginError) -> JSONObject
    ) {
        PluginLog.$call.withValue(PluginLog.Call(operation: method, id: id)) {
            do throws(PluginError) {
                writer.write(.result(id: id, .object(try body(parameters))))
            } catch {
                writer.write(.failure(id: id, Self.told(error)))
            }
        }
    }

    private func call(
        _ id: RequestID,
        _ method: String,
        _ parameters: JSONObject,
        _ state: inout State,
        _ immediate: inout (@Sendable (JSONObject) throws(PluginError) -> JSONObject)?
    ) -> PluginError? {
        switch state.phase {
        case .new, .handshake: return PluginError(code: .notInitialized, "\(method) before the handshake is complete")
        case .ending: return PluginError(.busy, "the plugin is stopping")
        case .accepted: break
        }
        guard let handler = state.handlers[method] else {
            return PluginError(code: .methodNotFound, "unknown method \(method.cut(toBytes: 100))")
        }
        guard state.calls.count < PluginProtocol.maximumCalls else {
            return PluginError(.busy, "\(PluginProtocol.maximumCalls) calls are under way")
        }
        switch handler.body {
        case .immediate(let body): immediate = body
        case .task(let body):
            start(id, method, &state) { _ throws(PluginError) in try await body(parameters) }
        }
        return nil
    }

    private func receive(_ method: String, _ parameters: JSONObject) {
        switch method {
        case PluginInitialized.name:
            guard let outcome = try? PluginInitialized(json: parameters) else { return }
            state.withLock { if $0.phase == .handshake, $0.plugin != nil, outcome.isAccepted { $0.phase = .accepted } }
            if !outcome.isAccepted {
                PluginLog.error("refused by the supervisor: \(outcome.reason ?? "no reason given")")
            }
        case PluginCancel.name:
            guard let id = (try? PluginCancel(json: parameters))?.id else { return }
            state.withLock { $0.calls[id]?.cancel() }
        case PluginShutdown.name:
            state.withLock { end(answering: nil, &$0) }
        default:
            break
        }
    }

    // MARK: Calls

    /// Runs a call in a task of its own, which answers exactly once.
    private func start(
        _ id: RequestID,
        _ method: String,
        _ state: inout State,
        _ body: @escaping @Sendable (RequestID) async throws(PluginError) -> JSONObject
    ) {
        // The task can finish only after this returns, since that takes the lock.
        state.calls[id] = Task.detached(executorPreference: PluginMain.calls) {
            await PluginLog.$call.withValue(PluginLog.Call(operation: method, id: id)) {
                let answer: Frame
                do throws(PluginError) {
                    answer = .result(id: id, .object(try await body(id)))
                } catch {
                    answer = .failure(id: id, Self.told(error))
                }
                // Off the table first: once the answer is out, the caller may use the id again.
                self.state.withLock { $0.calls[id] = nil }
                self.writer.write(answer)
            }
        }
    }

    private static func told(_ error: PluginError) -> PluginError {
        guard !Task.isCancelled else { return PluginError(code: .cancelled, "cancelled") }
        var error = error
        error.message = PluginLog.redacted(error.message)
        error.detail = error.detail.map(PluginLog.redacted)
        return error
    }

    private func initialize(_ json: JSONObject) async throws(PluginError) -> JSONObject {
        do throws(PluginError) {
            let parameters = try PluginInitialize.Parameters(json: json)
            guard parameters.protocolVersions.contains(PluginProtocol.version) else {
                throw PluginError(
                    code: .unsupportedVersion,
                    "version \(PluginProtocol.version) of the protocol is the only one supported here"
                )
            }
            let writer = writer
            let plugin = try await P(PluginContext(parameters) { writer.write($0) })
            let handlers = plugin.handlers
            state.withLock { state in
                state.plugin = plugin
                for handler in handlers { state.handlers[handler.name] = handler }
            }
            return PluginInitialize.Reply(
                protocolVersion: PluginProtocol.version,
                pluginName: P.name,
                pluginVersion: P.version,
                operations: handlers.map { .init(name: $0.name, isIdempotent: $0.isIdempotent) }
            )
            .json
        } catch {
            // A caller that was refused may try again, with another version for instance.
            state.withLock { if $0.phase == .handshake { $0.phase = .new } }
            throw error
        }
    }

    // MARK: End

    /// plugin.shutdown: what is under way is finished.
    private func end(answering id: RequestID?, _ state: inout State) {
        guard state.shutdown == nil else { return }
        state.phase = .ending
        let calls = Array(state.calls.values)
        let plugin = state.plugin
        state.shutdown = Task.detached(executorPreference: PluginMain.calls) {
            for call in calls { await call.value }
            await plugin?.shutdown()
            if let id { self.writer.write(.result(id: id, [:])) }
            PluginMain.leave()
        }
    }

    /// The input has ended, or a signal has come: what is under way is given up.
    func end() async {
        let (calls, plugin, shutdown) = state.withLock { state in
            state.phase = .ending
            return (Array(state.calls.values), state.plugin, state.shutdown)
        }
        for call in calls { call.cancel() }
        for call in calls { await call.value }
        if let shutdown { await shutdown.value } else { await plugin?.shutdown() }
    }
}
