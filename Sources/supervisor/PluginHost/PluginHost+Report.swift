public import SupervisorPluginAPI
import SupervisorPorts

/// What is shown of the plugins: the ailment in the device's health, and the list of `superctl plugins`.
extension PluginHost {
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
        let now = dependencies.clock.now
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
                reasons.append("its connection is closed; the process behind a socket cannot be killed from here")
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
