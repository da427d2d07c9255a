import CLinux
import Glibc

/// Watches whether a file exists, by inotify(7) on the directory that it is in, or on the deepest one above it that is there
/// already.
final class VPNWatch {
    let path: String
    /// Readable when something may have changed; -1 if it has to be polled.
    private(set) var descriptor: Int32 = -1

    private static let itself = UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR)
    private static let content =
        itself | UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM)

    init(path: String) {
        self.path = path
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    var exists: Bool { access(path, F_OK) == 0 }

    /// Renews the watch and returns whether the file exists; later changes are noticed.
    func arm() -> Bool {
        // Directories that vanish right now are looked for again, not for ever.
        for _ in 0..<16 {
            if descriptor >= 0 { close(descriptor) }
            // A new one each time, since removing a watch is an event, too.
            descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
            guard descriptor >= 0 else { break }
            if watch() { return exists }
        }
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        return exists
    }

    /// Returns false if something changed meanwhile.
    private func watch() -> Bool {
        let all = directories
        let there = all.prefix { Self.isDirectory($0) }
        guard let deepest = there.last else { return false }
        for directory in there.dropLast() where inotify_add_watch(descriptor, directory, Self.itself) < 0 {
            return false
        }
        guard inotify_add_watch(descriptor, deepest, Self.content) >= 0 else { return false }
        return there.count == all.count || !Self.isDirectory(all[there.count])
    }

    /// From "/" to the one that the file is in.
    private var directories: [String] {
        var directories = ["/"]
        for part in path.split(separator: "/").dropLast() {
            directories.append((directories.count == 1 ? "" : directories[directories.count - 1]) + "/" + part)
        }
        return directories
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
