internal import NIOCore
public import SupervisorCore
internal import SupervisorEventLoop
public import SupervisorPluginAPI
import SupervisorPorts

extension PluginHost: HostOperations {
    /// How long `connect` keeps a plugin from being ended as idle.
    private static let holdTime: Duration = .seconds(120)

    public func call<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ parameters: Operation.Parameters,
        requestID: String?
    ) async throws(HostOperationError) -> Operation.Reply {
        let plugin = try provider(of: Operation.name)
        let outcome = await perform(
            Operation.name,
            parameters.json,
            by: plugin,
            requestID: requestID,
            isIdempotent: Operation.isIdempotent,
            recorder: nil
        )
        switch outcome {
        case .failure(let failure): throw failure.error
        case .success(let json):
            do throws(PluginError) {
                return try Operation.Reply(json: json)
            } catch {
                let message =
                    "\(plugin.manifest.name) answered \(Operation.name) with an invalid result: \(error.message)"
                throw HostOperationError(.failed, message)
            }
        }
    }

    public func call(
        named operation: String,
        _ parameters: JSONObject,
        recordsFrames: Bool
    ) async throws(HostOperationError) -> JSONValue {
        let plugin = try provider(of: operation)
        let start = dependencies.clock.now
        let recorder = recordsFrames ? FrameRecorder(start: start) : nil
        let outcome = await perform(
            operation,
            parameters,
            by: plugin,
            requestID: nil,
            isIdempotent: KnownOperations.operation(named: operation)?.isIdempotent,
            recorder: recorder
        )
        if let recorder { plugin.forget(recorder) }
        let end = dependencies.clock.now
        var json: JSONObject = [:]
        switch outcome {
        case .success(let result): json["result"] = Redaction.redacted(.object(result))
        case .failure(let failure): json["error"] = failure.json
        }
        json["provider"] = .string(plugin.manifest.name)
        json["durationMicroseconds"] = .integer(Int64((end - start) / .microseconds(1)))
        for member in recorder?.json ?? [:] { json[member.name] = member.value }
        return .object(json)
    }

    private func perform(
        _ operation: String,
        _ parameters: JSONObject,
        by plugin: SupervisedPlugin,
        requestID: String?,
        isIdempotent: Bool?,
        recorder: FrameRecorder?
    ) async -> PluginCall.Outcome {
        lastCall += 1
        let number = lastCall
        defer { calls[number] = nil }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let call = PluginCall(
                    operation: operation,
                    parameters: parameters,
                    deadline: dependencies.clock.now + timeLimit(operation, plugin.manifest),
                    requestID: requestID,
                    contractSaysIdempotent: isIdempotent,
                    recorder: recorder,
                    answer: { continuation.resume(returning: $0) }
                )
                // Nothing takes effect for a task that is not wanted any more.
                guard !Task.isCancelled else {
                    return call.fail(HostOperationError(.failed, "\(operation) was cancelled by its caller"))
                }
                calls[number] = (call, plugin)
                plugin.submit(call)
            }
        } onCancel: {
            dependencies.executor.loop.execute { self.assumeIsolated { $0.cancel(number) } }
        }
    }

    private func timeLimit(_ operation: String, _ manifest: PluginManifest) -> Duration {
        guard let limit = KnownOperations.operation(named: operation)?.timeLimit else { return manifest.callTimeout }
        return min(limit, manifest.callTimeout)
    }

    private func cancel(_ number: Int) {
        guard let (call, plugin) = calls[number] else { return }
        plugin.cancel(call)
    }

    // MARK: Providers

    /// Must be called on the event loop.
    public nonisolated func provides(_ operation: String) -> Bool {
        assumeIsolated { $0.providers.chosen[operation] != nil }
    }

    private func provider(of operation: String) throws(HostOperationError) -> SupervisedPlugin {
        if let name = providers.chosen[operation], let plugin = entries[name]?.plugin { return plugin }
        if let names = providers.conflicts[operation] {
            let message = "\(operation) is not used: \(names.joined(separator: " and ")) have the same priority"
            throw HostOperationError(.unavailable, message)
        }
        for entry in entries.values.sorted(by: { $0.finding.name < $1.finding.name }) {
            switch entry.finding.verdict {
            case .refused(let manifest, let reason) where manifest.provides.contains(operation):
                throw HostOperationError(
                    .unavailable,
                    "\(manifest.name), which provides \(operation), is refused: \(reason)"
                )
            case .unmatched(let manifest, let reason) where manifest.provides.contains(operation):
                throw HostOperationError(.noProvider, "\(manifest.name) is not for this device: \(reason)")
            default: continue
            }
        }
        throw HostOperationError(.noProvider, "This device has no plugin for \(operation)")
    }

    public func connect(_ operations: [String]) async {
        let names = Set(operations.compactMap { providers.chosen[$0] })
        let plugins = names.compactMap { entries[$0]?.plugin }
        let now = dependencies.clock.now
        for plugin in plugins {
            plugin.post(.held(until: now + Self.holdTime))
            if plugin.state != .ready { plugin.post(.demanded) }
        }
        guard let longest = plugins.map(\.manifest.startTimeout).max() else { return }
        await wait(upTo: longest) { plugins.allSatisfy { ![.starting, .draining].contains($0.state) } }
    }

    /// Must be called on the event loop. What is ready by then is reported at once.
    public nonisolated func observe(_ handle: @escaping @Sendable (HostEvent) -> Void) {
        assumeIsolated { host in
            host.observer = handle
            for plugin in host.entries.values.compactMap(\.plugin) where plugin.state == .ready {
                let used = host.providers.used(of: plugin.manifest)
                if !used.isEmpty { handle(.ready(operations: used)) }
            }
        }
    }
}
