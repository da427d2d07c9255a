import Glibc

/// Removes trees of files, whoever owns them, as far as the kernel lets this process.
///
/// Every step is relative to an open directory, follows no link and stays on the mount where it began, so that whoever
/// swaps links in or renames directories meanwhile leads it nowhere else. Needs no more than ``levels`` descriptors and
/// their buffers, however deep or wide a tree is: what lies deeper is moved up first.
struct TreeRemover {
    /// The caller wants no more of it.
    struct Cancelled: Error {}

    /// How many directories are open at once. What is deeper is moved up to the top of its tree and removed from there.
    static let levels = 32

    /// How often, and after how many microseconds, a directory is looked through again that is not empty and shows
    /// nothing.
    private static let patience = 25
    private static let pause: useconds_t = 20_000

    /// Files and directories that are gone.
    private(set) var removed: Int64 = 0
    /// How many could not be removed, directories that only hold such ones not counted.
    private(set) var kept = 0
    /// The first of them and why, for people.
    private(set) var obstacle: String?
    /// A tree got another name while it was being removed, and was left alone from then on.
    private(set) var hasLostTree = false

    private let isCancelled: () -> Bool
    /// Grows with everything that gets on.
    private var changes = 0

    init(isCancelled: @escaping () -> Bool) {
        self.isCancelled = isCancelled
    }

    /// Forgets what could not be removed, since it is tried again.
    mutating func beginAnew() {
        kept = 0
        obstacle = nil
        hasLostTree = false
    }

    /// Removes what is named in `root`, whose path is for people.
    mutating func remove(_ name: FileName, in root: OpenDirectory, _ rootPath: String) throws(Cancelled) {
        if isCancelled() { throw Cancelled() }
        let top: Level
        switch take(name, in: root, isSurelyNoDirectory: false) {
        case .gone: return
        case .kept(let reason): return keep("\(rootPath)/\(name.text)", reason)
        case .directory(let directory): top = Level(name, directory, self)
        }
        var levels = [top]
        while let level = levels.last {
            if isCancelled() { throw Cancelled() }
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
            case .kept(let reason): keep(path(entry.name), reason)
            case .directory(let directory) where levels.count < Self.levels:
                levels.append(Level(entry.name, directory, self))
            case .directory:
                if let reason = moveUp(entry.name, from: level.directory, to: top.directory) {
                    keep(path(entry.name), reason)
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
        var patience = TreeRemover.patience

        init(_ name: FileName, _ directory: OpenDirectory, _ remover: TreeRemover) {
            self.name = name
            self.directory = directory
            keptBefore = remover.kept
            changesBefore = remover.changes
            directory.makeWritable()
        }
    }

    private enum Taken {
        case gone
        case kept(reason: String)
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
        // Somebody may turn it from a directory into a link and back as often as he likes: not more than eight times.
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
            case _ where flags == 0: return .kept(reason: Self.reason(code))
            default:
                do throws(OpenDirectory.Failure) {
                    return .directory(try OpenDirectory(name, in: parent, isDoomed: true))
                } catch {
                    switch error {
                    case .isOtherPlace: return .kept(reason: "is a mount point")
                    case .code(ENOENT): return .gone
                    case .code(ENOTDIR), .code(ELOOP): flags = 0
                    case .code(let code): return .kept(reason: Self.reason(code))
                    }
                }
            }
        }
        return .kept(reason: "is swapped for something else all the time")
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
            // Moved up by us, added by somebody else, or skipped by a file system while its neighbours vanished.
            if changes > level.changesBefore {
                level.changesBefore = changes
                level.patience = Self.patience
                kept = level.keptBefore
                level.directory.rewind()
                return false
            }
            guard kept == level.keptBefore else { break }
            // Somebody else moves things in it about, such as a second process of ours.
            if level.patience > 0 {
                level.patience -= 1
                usleep(Self.pause)
                level.directory.rewind()
                return false
            }
            keep(path, "is filled again and again")
        case let code:
            keep(path, Self.reason(code))
        }
        return true
    }

    /// Takes a directory to the top of its tree. Returns why that was not possible.
    private mutating func moveUp(_ name: FileName, from parent: OpenDirectory, to top: OpenDirectory) -> String? {
        let new = FileName(".deep-" + String(UInt64.random(in: .min ... .max), radix: 16))
        if renameat(parent.descriptor, name.characters, top.descriptor, new.characters) == 0 {
            changes += 1
            return nil
        }
        return errno == ENOENT ? nil : Self.reason(errno)
    }

    private mutating func keep(_ path: String, _ reason: String) {
        kept += 1
        if obstacle == nil { obstacle = "\(path): \(reason)" }
    }

    private static func reason(_ code: Int32) -> String {
        // EBUSY of rmdir(2) and unlink(2): something is mounted on it, or the kernel uses it.
        code == EBUSY ? "is a mount point or in use" : String(cString: strerror(code))
    }
}
