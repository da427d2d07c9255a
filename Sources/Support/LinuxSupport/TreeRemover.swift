import Glibc

/// Removes trees of files of any owner, as far as the kernel lets this process. May block.
///
/// Every step is relative to an open directory, follows no link and stays on the mount where it began, so that links and
/// directories that are swapped in meanwhile lead it nowhere else. Needs no more than ``levels`` descriptors and
/// their buffers, however deep or wide a tree is: what lies deeper is moved up first.
package struct TreeRemover {
    /// The caller wants no more of it, or this run has changed as much as it may.
    package struct Cancelled: Error {
        package init() {}
    }

    /// How many directories are open at once. What is deeper is moved up to the top of its tree and removed from there.
    package static let levels = 32

    /// How many microseconds pass before a directory is looked through again that is not empty and shows nothing.
    private static let pause: useconds_t = 20_000

    /// Files and directories that are gone.
    package private(set) var removed: Int64 = 0
    /// How many could not be removed, directories that only hold such ones not counted.
    package private(set) var kept = 0
    /// The first of them, and why.
    package private(set) var obstacle: SystemCallError?
    /// A tree got another name while it was being removed, and was left alone from then on.
    package private(set) var hasLostTree = false

    /// Entries that were removed or moved up.
    package private(set) var changes = 0
    private let limit: Int
    private let patience: Int
    private let isCancelled: () -> Bool

    /// - Parameters:
    ///   - limit: how many changes this run may make.
    ///   - patience: how often a directory is looked through again that is not empty and shows nothing, because somebody else
    ///     moves things in it about. Each time takes 20 ms.
    package init(limit: Int = .max, patience: Int = 25, isCancelled: @escaping () -> Bool = { false }) {
        self.limit = limit
        self.patience = patience
        self.isCancelled = isCancelled
    }

    /// Whether this run has made as many changes as it may.
    package var isExhausted: Bool { changes >= limit }

    /// Forgets what could not be removed, since it is tried again.
    package mutating func startOver() {
        kept = 0
        obstacle = nil
        hasLostTree = false
    }

    /// Removes what is named in `root`, whose path is for people.
    package mutating func remove(_ name: FileName, in root: OpenDirectory, _ rootPath: String) throws(Cancelled) {
        if isExhausted || isCancelled() { throw Cancelled() }
        let top: Level
        switch take(name, in: root, isSurelyNoDirectory: false) {
        case .gone: return
        case .kept(let error): return keep("\(rootPath)/\(name.text)", error)
        case .directory(let directory): top = Level(name, directory, self)
        }
        var levels = [top]
        while let level = levels.last {
            if isExhausted || isCancelled() { throw Cancelled() }
            // A purge that cannot be completed gives the application its data back by renaming it.
            guard root.names(name, top.directory) else {
                hasLostTree = true
                return
            }
            func path(_ entry: FileName? = nil) -> String {
                (levels.map(\.name) + (entry.map { [$0] } ?? [])).reduce(rootPath) { $0 + "/" + $1.text }
            }
            guard let entry = level.directory.next() else {
                let parent = levels.dropLast().last?.directory ?? root
                if finish(level, in: parent, path()) { levels.removeLast() }
                continue
            }
            switch take(entry.name, in: level.directory, isSurelyNoDirectory: entry.isSurelyNoDirectory) {
            case .gone: break
            case .kept(let error): keep(path(entry.name), error)
            case .directory(let directory) where levels.count < Self.levels:
                levels.append(Level(entry.name, directory, self))
            case .directory:
                if let error = moveUp(entry.name, from: level.directory, to: top.directory) {
                    keep(path(entry.name), error)
                }
            }
        }
    }

    // MARK: Steps

    /// A directory that is being emptied.
    private final class Level {
        let name: FileName
        let directory: OpenDirectory
        /// What `kept` was before it.
        let keptBefore: Int
        /// What `changes` was when the present pass over its entries began.
        var changesBefore: Int
        /// How often it may still be looked through for nothing.
        var patience: Int

        init(_ name: FileName, _ directory: OpenDirectory, _ remover: TreeRemover) {
            self.name = name
            self.directory = directory
            keptBefore = remover.kept
            changesBefore = remover.changes
            patience = remover.patience
            directory.makeWritable()
        }
    }

    private enum Taken {
        case gone
        /// Names the call and errno(3), not the path.
        case kept(SystemCallError)
        /// One that holds something, or that may not be removed.
        case directory(OpenDirectory)
    }

    /// Removes an entry, or opens it if that takes more.
    private mutating func take(
        _ name: FileName,
        in parent: OpenDirectory,
        isSurelyNoDirectory: Bool
    ) -> Taken {
        var flags = isSurelyNoDirectory ? 0 : AT_REMOVEDIR
        // An attacker may keep swapping directory and link: give up after eight tries.
        for _ in 0..<8 {
            if unlinkat(parent.descriptor, name.characters, flags) == 0 {
                removed += 1
                changes += 1
                return .gone
            }
            let code = errno
            switch code {
            case ENOENT: return .gone
            case ENOTDIR where flags == AT_REMOVEDIR: flags = 0
            case EISDIR where flags == 0: flags = AT_REMOVEDIR
            case _ where flags == 0: return .kept(SystemCallError("remove", name.text, code: code))
            default:
                do throws(SystemCallError) {
                    return .directory(try OpenDirectory(name, in: parent, isDoomed: true))
                } catch {
                    switch error.code {
                    case ENOENT: return .gone
                    case ENOTDIR, ELOOP: flags = 0
                    default: return .kept(error)
                    }
                }
            }
        }
        return .kept(SystemCallError("remove", name.text, code: ELOOP))
    }

    /// Removes a directory whose entries have all been looked at. Returns false if they have to be looked at once more.
    private mutating func finish(_ level: Level, in parent: OpenDirectory, _ path: String) -> Bool {
        if unlinkat(parent.descriptor, level.name.characters, AT_REMOVEDIR) == 0 {
            removed += 1
            changes += 1
            return true
        }
        switch errno {
        case ENOENT:
            break
        case ENOTDIR:
            // Swapped for a link or a file, which is as doomed.
            if unlinkat(parent.descriptor, level.name.characters, 0) == 0 {
                removed += 1
                changes += 1
            }
        case ENOTEMPTY, EEXIST:
            // Moved up by us, added by another process, or skipped by a file system while its neighbours vanished.
            if changes > level.changesBefore {
                level.changesBefore = changes
                level.patience = patience
                kept = level.keptBefore
                level.directory.rewind()
                return false
            }
            guard kept == level.keptBefore else { break }
            // Another process moves entries of it, such as a second process of ours.
            if level.patience > 0 {
                level.patience -= 1
                usleep(Self.pause)
                level.directory.rewind()
                return false
            }
            keep(path, SystemCallError("remove", path, code: ENOTEMPTY))
        case let code:
            keep(path, SystemCallError("remove", path, code: code))
        }
        return true
    }

    /// Takes a directory to the top of its tree. Returns why that was not possible.
    private mutating func moveUp(_ name: FileName, from parent: OpenDirectory, to top: OpenDirectory)
        -> SystemCallError?
    {
        let new = FileName(".deep-" + String(UInt64.random(in: .min ... .max), radix: 16))
        if renameat(parent.descriptor, name.characters, top.descriptor, new.characters) == 0 {
            changes += 1
            return nil
        }
        return errno == ENOENT ? nil : SystemCallError("rename", name.text)
    }

    private mutating func keep(_ path: String, _ error: SystemCallError) {
        kept += 1
        if obstacle == nil { obstacle = SystemCallError(error.call, path, code: error.code) }
    }

    /// Why an entry stays, which `code` of an obstacle says in the way of errno(3).
    package static func reason(_ code: Int32) -> String {
        switch code {
        case EXDEV: "is a mount point"
        // Of rmdir(2) and unlink(2): something is mounted on it, or the kernel uses it.
        case EBUSY: "is a mount point or in use"
        case ELOOP: "keeps being replaced"
        case ENOTEMPTY: "keeps being refilled"
        default: String(cString: strerror(code))
        }
    }
}
