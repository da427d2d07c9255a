import Logging
import SupervisorPorts

/// Services whose process keeps crashing: they are shown as such. It is the engine that restarts them, with a back-off
/// of its own, and nothing here adds to that.
extension Supervisor {
    func processDied(_ key: ServiceKey, _ id: String, _ exitCode: Int?) {
        if crashes.died(key, exitCode: exitCode, at: parts.clock.now) {
            logger.warning(
                "The app's process keeps crashing, last with \(exitCode.map(String.init) ?? "an unknown status")",
                metadata: ["app-id": "\(key.app)", "service": "\(key.service)", "container-id": "\(id)"]
            )
            publish(.crashLoopBegan(key, exitCode: exitCode))
        }
        if crashes.isLooping(key, at: parts.clock.now) { readLastLines(key, id) }
    }

    /// Finds the loops that began before this process could see them: the engine's back-off may put deaths so far apart
    /// by now that they would not count as one.
    func findCrashLoops() {
        own { supervisor in
            guard let instances = try? await supervisor.refreshContainers() else { return }
            for instance in instances where instance.state == .restarting {
                guard let detail = try? await supervisor.parts.engine.inspect(container: instance.id),
                    detail.restartCount >= CrashTracker.threshold, detail.container.state == .restarting
                else { continue }
                supervisor.crashes.found(instance.key, exitCode: detail.exitCode)
                supervisor.publish(.crashLoopBegan(instance.key, exitCode: detail.exitCode))
                supervisor.readLastLines(instance.key, instance.id)
            }
        }
    }

    /// Asks for what the process wrote last: once at a time, and not again within the time that the lines are good for.
    private func readLastLines(_ key: ServiceKey, _ id: String) {
        guard crashes.beginReadingLines(of: key, at: parts.clock.now) else { return }
        own { supervisor in
            let lines = Collected()
            do throws(EngineError) {
                try await supervisor.parts.engine.logs(
                    container: id,
                    tail: CrashTracker.lineCount,
                    since: nil,
                    follow: false
                ) { line in
                    supervisor.assumeIsolated { _ in lines.append(line) }
                }
                supervisor.crashes.record(lines.lines, of: key)
            } catch {
                // That the process dies is reported all the same.
                supervisor.logger.debug("The last output of \(key) cannot be read: \(error)")
            }
        }
    }

    /// Looks again when the next loop may be over.
    func armCrashCheck() {
        guard !isStopping, let wait = crashes.waitForCheck(at: parts.clock.now) else { return }
        crashes.arm(
            after(wait) { supervisor in
                let ended = supervisor.crashes.check(at: supervisor.parts.clock.now)
                for key in ended { supervisor.crashLoopEnded(key) }
                supervisor.armCrashCheck()
            }
        )
    }

    private func crashLoopEnded(_ key: ServiceKey) {
        logger.notice(
            "The app's process has stayed up",
            metadata: ["app-id": "\(key.app)", "service": "\(key.service)"]
        )
        publish(.crashLoopEnded(key))
    }

    /// Its container was recreated, or stopped by us.
    func forgetCrashes(of key: ServiceKey) {
        if crashes.forget(key) { publish(.crashLoopEnded(key)) }
    }
}

/// Gathers what an engine hands over on the event loop.
///
/// `@unchecked Sendable`: only touched there.
private final class Collected: @unchecked Sendable {
    private(set) var lines: [EngineLogLine] = []

    func append(_ line: EngineLogLine) { lines.append(line) }
}
