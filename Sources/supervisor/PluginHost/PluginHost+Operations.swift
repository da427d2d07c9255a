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
                let message = "\(plugin.manifest.name) answered \(Operation.name) with something else: \(error.message)"
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
        let start = surroundings.clock.now
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
        let end = surroundings.clock.now
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
        by plugin: HostedPlugin,
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
                    deadline: surroundings.clock.now + plugin.manifest.callTimeout,
                    requestID: requestID,
                    contractSaysIdempotent: isIdempotent,
                    recorder: recorder,
                    answer: { continuation.resume(returning: $0) }
                )
                // Nothing takes effect for a task that is not wanted any more.
                guard !Task.isCancelled else {
                    return call.fail(HostOperationError(.failed, "\(operation) was given up by its caller"))
                }
                calls[number] = (call, plugin)
                plugin.submit(call)
            }
        } onCancel: {
            surroundings.executor.loop.execute { self.assumeIsolated { $0.cancel(number) } }
        }
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

    private func provider(of operation: String) throws(HostOperationError) -> HostedPlugin {
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
                    "\(manifest.name), which does \(operation), is refused: \(reason)"
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
        let now = surroundings.clock.now
        for plugin in plugins {
            plugin.post(.held(until: now + Self.holdTime))
            if plugin.state != .ready { plugin.post(.demanded) }
        }
        guard let longest = plugins.map(\.manifest.startTimeout).max() else { return }
        await wait(upTo: longest) { plugins.allSatisfy { ![.starting, .draining].contains($0.state) } }
    }

    /// Must be called on the event loop. What is ready by then is told at once.
    public nonisolated func observe(_ handle: @escaping @Sendable (HostEvent) -> Void) {
        assumeIsolated { host in
            host.observer = handle
            for plugin in host.entries.values.compactMap(\.plugin) where plugin.state == .ready {
                let used = host.providers.used(of: plugin.manifest)
                if !used.isEmpty { handle(.ready(operations: used)) }
            }
        }
    }

    // MARK: What is shown

    /// Must be called on the event loop.
    public nonisolated func ailment() -> String? {
        assumeIsolated { $0.currentAilment }
    }

    private var currentAilment: String? {
        for entry in entries.values.sorted(by: { $0.finding.name < $1.finding.name }) {
            let name = entry.finding.name
            switch entry.finding.verdict {
            case .usable(let manifest) where manifest.isEssential:
                if let plugin = entry.plugin, plugin.state == .tripped {
                    return "Plugin \(name) fails: \(plugin.supervision.reason ?? plugin.state.rawValue)"
                }
            case .refused(let manifest, let reason) where manifest.isEssential:
                return "Plugin \(name) is refused: \(reason)"
            case .invalid(let reason, true):
                return "Plugin \(name) is invalid: \(reason)"
            default: continue
            }
        }
        return providers.complaints.first
    }

    public func plugins() async -> JSONValue {
        .array(entries.values.sorted { $0.finding.name < $1.finding.name }.map(json))
    }

    private func json(_ entry: Entry) -> JSONValue {
        let now = surroundings.clock.now
        let plugin = entry.plugin
        let (state, reason) = standing(of: entry)
        let manifest = entry.finding.verdict.manifest
        let attempt = plugin?.supervision.nextAttempt.map { max($0 - now, .zero) / .seconds(1) }
        return [
            "name": .string(entry.finding.name),
            "state": .string(state.rawValue),
            "reason": reason.map(JSONValue.string) ?? .null,
            "description": .string(manifest?.description ?? ""),
            "file": .string(entry.finding.file),
            "provides": .array((manifest?.provides ?? []).map(JSONValue.string)),
            "used": .array((plugin.map { providers.used(of: $0.manifest) } ?? []).map(JSONValue.string)),
            "mode": .string(manifest?.usesSocket == true ? "socket" : "exec"),
            "target": .string(manifest?.target ?? ""),
            "lifecycle": .string((manifest?.lifecycle ?? .onDemand).rawValue),
            "priority": .integer(Int64(manifest?.priority ?? 0)),
            "essential": .bool(manifest?.isEssential ?? false),
            "pid": (plugin?.process).map { .integer(Int64($0.pid)) } ?? .null,
            "version": (plugin?.version).map(JSONValue.string) ?? .null,
            "calls": .integer(Int64(plugin?.callCount ?? 0)),
            "failures": .integer(Int64(plugin?.supervision.recentFailures(at: now) ?? 0)),
            "nextAttemptSec": attempt.map { .integer(Int64($0.rounded(.up))) } ?? .null,
            "sinceSec": .integer((now - (plugin?.supervision.since ?? entry.since)).components.seconds),
        ]
    }

    private func standing(of entry: Entry) -> (PluginState, String?) {
        switch entry.finding.verdict {
        case .masked: return (.masked, "masked by \(entry.finding.file)")
        case .invalid(let reason, _), .refused(_, let reason): return (.invalid, reason)
        case .unmatched(_, let reason): return (.unmatched, reason)
        case .usable(let manifest):
            guard let plugin = entry.plugin else { return (.idle, nil) }
            var reasons = [providers.conflict(of: manifest), plugin.supervision.reason].compactMap(\.self)
            if manifest.usesSocket, plugin.state == .draining {
                reasons.append("its connection is closed; what is behind a socket cannot be killed from here")
            }
            return (plugin.state, reasons.isEmpty ? nil : reasons.joined(separator: "; "))
        }
    }
}

extension ManifestSearch.Finding.Verdict {
    /// nil where there is none that can be used.
    var manifest: PluginManifest? {
        switch self {
        case .usable(let manifest), .unmatched(let manifest, _), .refused(let manifest, _): manifest
        case .invalid, .masked: nil
        }
    }
}
