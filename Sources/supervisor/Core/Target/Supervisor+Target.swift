import Glibc
import JSON
import LinuxSupport
import Logging
import SupervisorPorts

/// The target: read from its file, kept when it is good.
extension Supervisor {
    var target: TargetState? { targetInForce.state }

    private static let targetLimit = 4 << 20

    /// Watches the target file's directory: the file itself is replaced by a rename.
    func watchTarget() {
        let path = settings.targetFile
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let directory = slash == path.startIndex ? "/" : String(path[..<slash])
        let name = String(path[path.index(after: slash)...])
        if let before = targetInForce.replaceWatch(nil) { parts.watcher.unwatch(before) }
        do throws(WatchError) {
            let token = try parts.watcher.watch(directory) { changed in
                guard changed == nil || changed == name else { return }
                self.assumeIsolated { $0.targetFileChanged() }
            }
            _ = targetInForce.replaceWatch(token)
        } catch {
            logger.warning("Changes of \(path) are noticed only at the next poll: \(error)")
        }
    }

    public func reload() async throws(SupervisorError) {
        let new = try await parts.reload()
        settings = new
        watchTarget()
        requestCheck()
    }

    func targetFileChanged() {
        requestCheck()
        guard images.imageUnderWay != nil else { return }
        // A download that is no longer wanted must not hold up what is wanted now.
        own { supervisor in
            _ = try? await supervisor.loadTarget()
            guard let image = supervisor.images.imageUnderWay, supervisor.target != nil else { return }
            if !supervisor.isWanted(image) { supervisor.images.cancelDownload() }
        }
    }

    /// Reads the target file. A file that cannot be read or is wrong leaves the last good target in effect, an application
    /// in it that is wrong the last good one of that application; both are remembered in `targetInForce`.
    func loadTarget() async throws(SupervisorError) {
        let known = targetInForce.reading
        let path: String
        let file: TargetFile?
        do throws(SupervisorError) {
            (path, file) = try await readTarget(known)
        } catch {
            targetInForce.reading = nil
            return targetIsWrong("\(error)")
        }
        guard let file else {
            targetInForce.reading = nil
            // No file is no wish: what ran continues, as on a device whose target is yet to come.
            return targetIsWrong(target == nil ? nil : "\(path) is missing")
        }
        targetInForce.reading = file.fingerprint
        guard let reading = file.reading else { return }
        let parsed: (target: TargetState, json: JSONValue)
        do throws(TargetError) {
            parsed = try reading.get()
        } catch {
            return targetIsWrong("\(path): \(error)")
        }
        let kept = targetInForce.accept(parsed.target, parsed.json, file.rejections)
        if !file.rejections.isEmpty { targetIsWrong(Self.message(path, file.rejections), wholeFile: false) }
        progress.targetIsWrong(targetInForce.error)
        guard let kept, let target else { return }
        for warning in file.warnings { logger.warning("\(path): \(warning)") }
        logger.notice("New target: \(Self.summary(of: target))")
        publish(.targetChanged(Self.summary(of: target)))
        cycle.targetChanged()
        progress.targetChanged()
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(target: kept) }
        } catch {
            // It is in effect all the same; the next supervisor reads the file again.
            logger.error("The target could not be saved: \(error)")
        }
    }

    /// The target has one source at a time: the remote service while it has handed one over, else the file.
    private func readTarget(_ known: String?) async throws(SupervisorError) -> (path: String, file: TargetFile?) {
        let path = settings.targetFile
        let limit = Self.targetLimit
        guard let cloudPath = settings.cloudTargetFile else {
            return (path, try await readDisk { try TargetFile(path, limit: limit, known: known) })
        }
        let wasFromCloud = cloudLink.isSource
        let cloud = try await readDisk { () throws -> TargetFile? in
            do {
                return try TargetFile(cloudPath, limit: limit, known: known)
            } catch let error as SystemCallError where error.code == EACCES && !wasFromCloud {
                // The uplink has been installed after this process was started, and has no target for it yet.
                return nil
            }
        }
        if let cloud {
            if cloudLink.setSource(isCloud: true) {
                logger.notice("The remote service now says what runs: \(cloudPath)")
            }
            return (cloudPath, cloud)
        }
        // Until now the service has said what runs. It goes on, as the target of the file.
        if wasFromCloud, let kept = targetInForce.json?.encoded() {
            try await requireDisk()
            try await onWorker {
                try FileSystem.write(kept, to: path + ".new", mode: 0o640)
                try FileSystem.rename(path + ".new", path)
            }
        }
        if cloudLink.setSource(isCloud: false) { logger.notice("The file now says what runs: \(path)") }
        return (path, try await readDisk { try TargetFile(path, limit: limit, known: known) })
    }

    private func targetIsWrong(_ message: String?, wholeFile: Bool = true) {
        if targetInForce.refuse(message, wholeFile: wholeFile), let message {
            logger.error("Keeping the current target: \(message)")
            publish(.targetRefused(message))
        }
        progress.targetIsWrong(message)
    }

    /// The first of them; a file may have thousands.
    private static func message(_ path: String, _ rejections: [TargetRejection]) -> String {
        let shown = rejections.prefix(3).map { "\($0.error)" }.joined(separator: "; ")
        let more = rejections.count > 3 ? "; and \(rejections.count - 3) more applications" : ""
        return "\(path): \(shown)\(more)"
    }

    private static func summary(of target: TargetState) -> String {
        guard !target.apps.isEmpty else { return "no applications" }
        return target.apps.map { "application \($0.id) at \($0.commit)" }.joined(separator: ", ")
    }
}
