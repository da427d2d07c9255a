import JSON
import LinuxSupport
import Logging
import SupervisorPorts

/// The target: read from its file, kept when it is good.
extension Supervisor {
    private static let targetLimit = 4 << 20

    /// Watches the target file's directory: the file itself is replaced by a rename.
    func watchTarget() {
        let path = settings.targetFile
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let directory = slash == path.startIndex ? "/" : String(path[..<slash])
        let name = String(path[path.index(after: slash)...])
        if let targetWatch { parts.watcher.unwatch(targetWatch.token) }
        targetWatch = nil
        do throws(WatchError) {
            let token = try parts.watcher.watch(directory) { changed in
                guard changed == nil || changed == name else { return }
                self.assumeIsolated { $0.targetFileChanged() }
            }
            targetWatch = (directory, token)
        } catch {
            logger.warning("Changes of \(path) are noticed at the next poll only: \(error)")
        }
    }

    private func targetFileChanged() {
        trigger()
        guard download != nil else { return }
        // A download that nobody wants any more must not hold up what is wanted now.
        own { supervisor in
            _ = try? await supervisor.loadTarget()
            guard let download = supervisor.download, supervisor.target != nil else { return }
            if !supervisor.isWanted(download.image) { download.task.cancel() }
        }
    }

    /// Reads the target file. A file that cannot be read or is wrong leaves the last good target in force, and is told in
    /// `targetError`. Throws only where a good target cannot be kept for the next start.
    func loadTarget() async throws(SupervisorError) {
        let path = settings.targetFile
        let bytes: [UInt8]?
        do throws(SupervisorError) {
            bytes = try await look { try FileSystem.read(path, limit: Self.targetLimit) }
        } catch {
            return targetIsWrong("\(error)")
        }
        guard let bytes else {
            // No file is no wish: what ran goes on, as on a device whose target is yet to come.
            return targetIsWrong(target == nil ? nil : "\(path) is missing")
        }
        var parser = TargetParser()
        let parsed: (target: TargetState, json: JSONValue)
        do throws(TargetError) {
            parsed = try parser.parse(bytes)
        } catch {
            return targetIsWrong("\(path): \(error)")
        }
        targetError = nil
        guard parsed.json != targetJSON else { return }
        for warning in parser.warnings { logger.warning("\(path): \(warning)") }
        logger.notice("New target: \(Self.summary(of: parsed.target))")
        target = parsed.target
        targetJSON = parsed.json
        publish(.targetChanged(Self.summary(of: parsed.target)))
        retry.succeeded()
        progress.hasFailed = false
        progress.error = nil
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(target: parsed.json) }
        } catch {
            // It is in force all the same; a supervisor that starts anew reads the file again.
            logger.error("The target could not be kept: \(error)")
        }
    }

    private func targetIsWrong(_ message: String?) {
        if let message, message != targetError {
            logger.error("The target in force stays: \(message)")
            publish(.targetRefused(message))
        }
        targetError = message
    }

    private static func summary(of target: TargetState) -> String {
        guard !target.apps.isEmpty else { return "no applications" }
        return target.apps.map { "application \($0.id) at \($0.commit)" }.joined(separator: ", ")
    }

    /// Whether the update lock of an application is switched off by a variable: of the device, or of one of its services.
    func isOverridden(_ app: AppID) -> Bool {
        func isOn(_ variables: [String: String]) -> Bool {
            ["RESIN_SUPERVISOR_OVERRIDE_LOCK", "BALENA_SUPERVISOR_OVERRIDE_LOCK"].contains { name in
                ["1", "true", "on", "yes"].contains(variables[name]?.lowercased())
            }
        }
        guard let target else { return false }
        return isOn(target.config) || target[app]?.services.contains { isOn($0.environment) } == true
    }
}
