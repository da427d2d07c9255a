import DBus
import Glibc
import SupervisorPluginAPI
import Synchronization

/// Reboots and powers off through logind, and says why not.
final class Power: Sendable {
    private let login1: Login1
    private let systemd1: Systemd1
    /// What logind has accepted from this process.
    private let accepted = Mutex<PowerAction?>(nil)

    /// Below the 10 s that the core gives a call, so that the core learns from us what hangs.
    private static let patience = Duration.seconds(8)
    /// For a query that only improves an error message.
    private static let glance = Duration.seconds(1)
    private static let pause = Duration.milliseconds(100)

    init(bus: SystemBus) {
        login1 = Login1(bus: bus)
        systemd1 = Systemd1(bus: bus)
    }

    /// Returns when logind has accepted it.
    func start(_ action: PowerAction) async throws(PluginError) {
        // logind lets root ignore the block inhibitors of root, which are those of package upgrades.
        if geteuid() == 0, let refusal = Self.refusal(of: action, blockers: await blockers(), source: nil) {
            throw refusal
        }
        PluginLog.notice("asking logind to \(action.words)")
        do throws(BusError) {
            try await login1.start(action, timeout: Self.patience)
        } catch {
            throw await explained(error, action)
        }
        accepted.withLock { $0 = action }
    }

    /// What is under way, no matter which program requested it.
    ///
    /// The jobs of systemd show it, with the kind. While programs still delay a shutdown there is no job yet: logind
    /// knows that a shutdown is coming, and reports its kind from version 255 on. Otherwise this process knows the kind
    /// if it made the request itself; if not, it waits for the job, which is queued when the programs are ready or
    /// their time is up.
    func status() async throws(PluginError) -> PowerStatus.Reply {
        let clock = ContinuousClock()
        let start = clock.now
        while true {
            if let action = try? await systemd1.shutdown(timeout: Self.glance) {
                return PowerStatus.Reply(preparing: action.preparing)
            }
            let preparation: Login1.Preparation
            do throws(BusError) {
                preparation = try await login1.preparation(timeout: .seconds(3))
            } catch {
                throw error.pluginError(doing: "find out whether a shutdown is under way")
            }
            guard preparation.isPreparing else {
                // It failed, or was cancelled.
                accepted.withLock { $0 = nil }
                return PowerStatus.Reply(preparing: .none, inhibited: Self.inhibition(await blockers()))
            }
            if let action = preparation.kind.flatMap(PowerAction.init(kind:)) ?? accepted.withLock({ $0 }) {
                return PowerStatus.Reply(preparing: action.preparing)
            }
            guard clock.now - start < min(preparation.longestDelay + Self.glance, .seconds(6)) else {
                // A shutdown is under way, and most of them are reboots.
                PluginLog.warning("logind is preparing a shutdown without saying which; treated as a reboot")
                return PowerStatus.Reply(preparing: .reboot)
            }
            do {
                try await Task.sleep(for: Self.pause)
            } catch {
                throw PluginError(code: .cancelled, "cancelled while waiting for a shutdown to begin")
            }
        }
    }

    /// The error with the inhibitor or the policy that refused.
    private func explained(_ error: BusError, _ action: PowerAction) async -> PluginError {
        if Self.isUnderWayAlready(error.name) {
            return PluginError(.busy, "cannot \(action.words): \(error.message)", source: error.name)
        }
        var result = error.pluginError(doing: action.words)
        guard result.reason == .permissionDenied || error.name == Self.blockedByInhibitor else { return result }

        if let refusal = Self.refusal(of: action, blockers: await blockers(), source: error.name) {
            return refusal
        }
        guard result.reason == .permissionDenied else {
            return PluginError(.busy, result.message, source: error.name)
        }
        let permission = (try? await login1.permission(for: action, timeout: Self.glance)) ?? ""
        result.message = "cannot \(action.words): \(Self.policy(permission, action, user: geteuid()))"
        result.detail = error.message
        return result
    }

    /// Empty if the policy cannot be queried: then the request itself shows the result.
    private func blockers() async -> [Inhibitor] {
        ((try? await login1.inhibitors(timeout: Self.glance)) ?? []).filter(\.blocksShutdown)
    }

    private static let blockedByInhibitor = "org.freedesktop.login1.BlockedByInhibitorLock"

    /// logind's word for a shutdown or sleep under way, and systemd's for a job that another one must not undo.
    static func isUnderWayAlready(_ name: String) -> Bool {
        [
            "org.freedesktop.login1.OperationInProgress",
            "org.freedesktop.systemd1.TransactionIsDestructive",
            "org.freedesktop.systemd1.ShuttingDown",
        ].contains(name)
    }

    /// nil if no program blocks it.
    static func refusal(of action: PowerAction, blockers: [Inhibitor], source: String?) -> PluginError? {
        guard let inhibition = inhibition(blockers) else { return nil }
        return PluginError(
            .busy,
            "cannot \(action.words): \(inhibition)",
            detail: blockers.map { "\($0.what) \($0.mode): \($0.description)" }.joined(separator: "; "),
            source: source
        )
    }

    /// The first of them, and how many more; nil if there is none.
    static func inhibition(_ blockers: [Inhibitor]) -> String? {
        guard let first = blockers.first else { return nil }
        let others = blockers.count == 1 ? "" : " and \(blockers.count - 1) more"
        return "blocked by \(first.description)\(others)"
    }

    /// What CanReboot says, in words.
    static func policy(_ permission: String, _ action: PowerAction, user: uid_t) -> String {
        switch permission {
        case "na": "logind reports that this host does not support it"
        case "challenge": "the host's policy requires a password for \(action.policyAction) from user \(user)"
        // "no", or the same refusal again: there is no polkit that could be asked.
        default: "the host's policy refuses \(action.policyAction) to user \(user)"
        }
    }
}
