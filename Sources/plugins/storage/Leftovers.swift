import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// The files and directories that the core has renamed away and could not remove itself, and where they are.
///
/// | place | names | left by |
/// | --- | --- | --- |
/// | `DATA/` | `.purge-*` | a purge |
/// | `DATA/` | `.stale-*` | a lock that was a directory in an application's /data |
/// | `DATA/<appId>/` | directories `.stale-` and 16 hex digits | the same, of another owner |
/// | `LOCKS/` | `.stale-*` | what stood where an application's lock directories belong |
/// | `LOCKS/<appId>/` | `.stale-*` | the lock directory of a service that was replaced |
///
/// Nothing else is touched, nor looked into.
struct Leftovers: Sendable {
    var dataDirectory: String
    var lockDirectory: String

    /// Removes all of it. May block for as long as that takes. Returns how many files and directories are gone.
    func reap(isCancelled: @escaping () -> Bool) -> Result<Int64, PluginError> {
        var remover = TreeRemover(isCancelled: isCancelled)
        do throws(TreeRemover.Cancelled) {
            var removedBefore: Int64
            repeat {
                removedBefore = remover.removed
                remover.startOver()
                if let failure = try reapOnce(&remover) { return .failure(failure) }
            } while remover.hasLostTree && remover.removed > removedBefore
        } catch {
            PluginLog.info("cancelled; removed so far: \(remover.removed)")
            return .failure(PluginError(code: .cancelled, "cancelled"))
        }
        guard let error = remover.obstacle else {
            PluginLog.info("removed: \(remover.removed)")
            return .success(remover.removed)
        }
        let obstacle = "\(error.path): \(TreeRemover.reason(error.code))"
        let text = "\(remover.kept) could not be removed, the first is \(obstacle)"
        PluginLog.warning("removed: \(remover.removed); \(text)")
        return .failure(PluginError(.failed, text, detail: "\(obstacle); removed: \(remover.removed)"))
    }

    /// Returns why a directory that is there cannot be looked into.
    private func reapOnce(_ remover: inout TreeRemover) throws(TreeRemover.Cancelled) -> PluginError? {
        var failure: PluginError?
        for (path, isData) in [(dataDirectory, true), (lockDirectory, false)] {
            let root: OpenDirectory
            do throws(SystemCallError) {
                root = try OpenDirectory(path: path)
            } catch {
                if error.code != ENOENT { failure = failure ?? Self.error(path, error.code) }
                continue
            }
            try reap(in: root, path, isData: isData, &remover)
        }
        return failure
    }

    private func reap(
        in root: OpenDirectory,
        _ path: String,
        isData: Bool,
        _ remover: inout TreeRemover
    ) throws(TreeRemover.Cancelled) {
        var apps: [FileName] = []
        var doomed: [FileName] = []
        while let name = root.next()?.name {
            if name.hasPrefix(LeftoverPrefix.stale) || isData && name.hasPrefix(LeftoverPrefix.purged) {
                doomed.append(name)
            } else if Self.isAppID(name) {
                apps.append(name)
            }
        }
        for name in doomed { try remover.remove(name, in: root, path) }
        for app in apps {
            // A container may have closed its own /data, or something may be mounted there: no business of ours. The lock
            // directories of an application may be a file system of their own, which no container can replace.
            let place = "\(path)/\(app.text)"
            let found = isData ? try? OpenDirectory(app, in: root) : try? OpenDirectory(path: place)
            guard let directory = found else { continue }
            var doomed: [FileName] = []
            while let name = directory.next()?.name {
                if isData ? Self.isStaleLock(name, in: directory) : name.hasPrefix(LeftoverPrefix.stale) {
                    doomed.append(name)
                }
            }
            for name in doomed { try remover.remove(name, in: directory, place) }
        }
    }

    private static func isAppID(_ name: FileName) -> Bool {
        name.bytes.isDecimal
    }

    /// In an application's own /data only the exact form counts: the rest may be the application's.
    private static func isStaleLock(_ name: FileName, in directory: OpenDirectory) -> Bool {
        let digits = name.bytes.dropFirst(LeftoverPrefix.stale.utf8.count)
        return name.hasPrefix(LeftoverPrefix.stale) && digits.count == 16
            && digits.allSatisfy(\.isLowercaseHexDigit)
            && directory.hasDirectory(name)
    }

    private static func error(_ path: String, _ code: Int32) -> PluginError {
        if code == ENOTDIR || code == ELOOP {
            return PluginError(.failed, "\(path) is not a directory; a link to one is not followed")
        }
        return PluginError(
            code == EACCES || code == EPERM ? .permissionDenied : .failed,
            "cannot open \(path): \(String(cString: strerror(code)))"
        )
    }
}
