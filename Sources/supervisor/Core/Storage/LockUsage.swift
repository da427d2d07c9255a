import CLinux
import Glibc
import LinuxSupport

/// What a tree of lock directories takes, as far as it may be looked into.
struct LockUsage {
    /// What an entry takes in memory, in bytes, about.
    static let entry = 1024
    private static let mostEntries = 20_000
    private static let mostLevels = 16

    private(set) var bytes = 0
    /// Something in it may not be looked into.
    private(set) var isPartlyClosed = false
    private var entries = 0

    /// Follows no link below the path. Blocks.
    init(of path: String) {
        guard let directory = try? OpenDirectory(path: path) else { return }
        count(directory, levels: Self.mostLevels)
    }

    private mutating func count(_ directory: OpenDirectory, levels: Int) {
        while let found = directory.next() {
            entries += 1
            guard entries <= Self.mostEntries else { return isPartlyClosed = true }
            bytes += Self.entry
            var status = stat()
            guard fstatat(directory.descriptor, found.name.characters, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                continue
            }
            bytes += Int(clamping: status.st_blocks) * 512
            guard status.isDirectory else { continue }
            if levels > 1, let inner = try? OpenDirectory(found.name, in: directory) {
                count(inner, levels: levels - 1)
            } else {
                isPartlyClosed = true
            }
        }
    }
}
