import Glibc
import LinuxSupport

/// Removes trees that were renamed away, as far as the core's own user may: what another user owns in a directory of their
/// own stays, for a more privileged hand.
///
/// Works in slices of so many changes, between which the core looks whether it may continue. What cannot be removed is no
/// change: a slice may look through a tree of any size, until it is cancelled. May block.
struct Reaper {
    /// How many entries to remove, or to move within their tree, before it is somebody else's turn.
    let limit: Int
    private let isCancelled: @Sendable () -> Bool
    private var changes = 0
    private(set) var removed = 0
    /// The first thing that could not be removed.
    private(set) var obstacle: SystemCallError?

    /// Whether it ended because of its limit.
    var isExhausted: Bool { changes >= limit }

    init(limit: Int, isCancelled: @escaping @Sendable () -> Bool = { false }) {
        self.limit = limit
        self.isCancelled = isCancelled
    }

    mutating func remove(_ path: String) {
        guard !isExhausted, !isCancelled(), let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return }
        let parent = String(path[..<slash])
        // Without patience: what another process puts into a tree meanwhile is left to the next slice or the next run.
        var remover = TreeRemover(limit: limit - changes, patience: 0, isCancelled: isCancelled)
        do throws(SystemCallError) {
            // The directories of applications may be reached through a link, which the last component may not be.
            let directory = try OpenDirectory(path: parent + "/.")
            try? remover.remove(FileName(String(path[path.utf8.index(after: slash)...])), in: directory, parent)
        } catch {
            if error.code != ENOENT, error.code != ENOTDIR, obstacle == nil { obstacle = error }
        }
        changes += remover.changes
        removed += Int(remover.removed)
        if obstacle == nil { obstacle = remover.obstacle }
    }
}
