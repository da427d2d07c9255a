import CLinux
import Glibc
import LinuxSupport

/// Taking the update lock for the supervisor itself.
extension UpdateLockFiles {
    /// The supervisor's own lock over some services, until it is released.
    final class Taken: Sendable {
        private let paths: [String]
        private let descriptors: [Int32]

        init(paths: [String], descriptors: [Int32]) {
            self.paths = paths
            self.descriptors = descriptors
        }

        /// Both as one; neither of them is released by itself any more.
        init(joining a: Taken, _ b: Taken) {
            paths = a.paths + b.paths
            descriptors = a.descriptors + b.descriptors
        }

        /// Removes what is left of it. Call exactly once.
        func release() {
            var own: [stat] = []
            for descriptor in descriptors {
                var status = stat()
                if fstat(descriptor, &status) == 0 { own.append(status) }
            }
            for path in paths {
                // After a swap something else may stand at the path.
                guard let entry = try? LockEntry(path), own.contains(where: entry.isSame) else { continue }
                entry.remove(by: UpdateLockFiles.temporaryPrefix)
            }
            for descriptor in descriptors { close(descriptor) }
        }
    }

    enum Outcome: Sendable {
        case taken(Taken)
        /// Others hold these; nothing was changed.
        case held([HeldLock])
    }

    /// Takes the locks of all scopes, or none.
    ///
    /// - Parameter force: take what can be taken and leave what others hold as it is.
    func take(_ scopes: [Scope], force: Bool) -> Outcome {
        var paths: [String] = []
        var descriptors: [Int32] = []
        var obstacles: [HeldLock] = []
        for scope in scopes.sorted(by: { $0.app < $1.app }) {
            // One inode per file system: the lock directories are a tmpfs of their own as a rule.
            var inodes: [(parent: String, temporary: String)] = []
            for place in places(of: scope) {
                do throws(SystemCallError) {
                    let parent = place.service == nil ? directories.dataDirectory : directories.locks(of: scope.app)
                    let inode: (parent: String, temporary: String)
                    if let made = inodes.first(where: { $0.parent == parent }) {
                        inode = made
                    } else {
                        let (temporary, descriptor) = try makeLockedFile(in: parent)
                        descriptors.append(descriptor)
                        inode = (parent, temporary)
                        inodes.append(inode)
                    }
                    // link(2) makes the whole lock appear at once: its content, the flock and the fcntl lock.
                    guard link(inode.temporary, place.path) == 0 else { throw SystemCallError("link", place.path) }
                    paths.append(place.path)
                } catch {
                    if place.service != nil, error.code == ENOSPC || error.code == EDQUOT {
                        // Another application may have done that, where all share the space; that one is refused instead.
                        if let own = overfull(scope, hasFailed: true), !obstacles.contains(own) {
                            obstacles.append(own)
                        }
                    } else if let obstacle = obstacle(error, at: place) {
                        obstacles.append(obstacle)
                    }
                }
            }
            for inode in inodes { unlink(inode.temporary) }
        }
        let taken = Taken(paths: paths, descriptors: descriptors)
        if obstacles.isEmpty || force { return .taken(taken) }
        taken.release()
        return .held(obstacles)
    }

    /// What keeps us from a place: its lock, or that we cannot make one; nil where it is free and need not be taken.
    private func obstacle(_ error: SystemCallError, at place: Place) -> HeldLock? {
        switch error.code {
        case EEXIST:
            // An entry of ours can only be one that a killed supervisor left and this one could not clear.
            return look(at: place)
        case ENOENT where access(place.directory, F_OK) != 0 && errno == ENOENT:
            // A directory that is not there holds no lock, and no container sees the one that would be made now.
            return nil
        default:
            if let seen = look(at: place) { return seen }
            // In /data the lock is taken only where it can be.
            return place.service == nil ? nil : unreadable(place, error)
        }
    }

    /// A file with our mark, locked, at a name that is no lock path.
    private func makeLockedFile(in directory: String) throws(SystemCallError) -> (path: String, descriptor: Int32) {
        let path = directory + "/" + FileSystem.uniqueName(Self.temporaryPrefix)
        let descriptor = clinux_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw SystemCallError("create", path) }
        do throws(SystemCallError) {
            try Descriptor.writeAll(Array(mark.utf8), to: descriptor, path)
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw SystemCallError("flock", path) }
            guard clinux_lock_whole_file(descriptor) == 0 else { throw SystemCallError("fcntl", path) }
        } catch {
            close(descriptor)
            unlink(path)
            throw error
        }
        return (path, descriptor)
    }
}
