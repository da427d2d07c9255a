import LinuxSupport

/// What does not outlive a boot.
extension AppDirectories {
    /// Says for which boot the directories were prepared last.
    private var bootMark: String { lockDirectory + "/.boot" }

    /// Removes the locks in the applications' /data that are left from an earlier boot: no process of that time holds them.
    /// Once a boot, before the engine starts any container; later it does nothing.
    ///
    /// Where the mark is missing, this may be the first version that leaves one, installed while applications run: then
    /// only an application counts that has no lock directory, without which no container of it has started in this boot.
    ///
    /// - Parameter containersMayRun: the engine may have started containers already; then the same holds.
    func clearLocksOfEarlierBoot(_ bootID: String, containersMayRun: Bool) throws(SystemCallError) {
        let mark = Array(bootID.utf8)
        let former = try? FileSystem.read(bootMark, limit: 256)
        guard former != mark else { return }
        for name in try FileSystem.entries(dataDirectory) {
            guard let app = AppID(digits: name) else { continue }
            let hasLocks = try FileSystem.status(locks(of: app)) != nil
            if !hasLocks || former != nil && !containersMayRun { removeDataLock(of: app) }
        }
        try FileSystem.write(mark, to: bootMark, mode: 0o644)
    }
}
