import CLinux
import Glibc
import LinuxSupport

/// An update lock that is held: something exists at one of the lock paths, or nobody can say that nothing does.
public struct HeldLock: Sendable, Hashable {
    public var app: AppID
    /// nil for the lock in the application's /data.
    public var service: String?
    public var path: String
    /// Owner of what is there; nil where we may not look.
    public var owner: UInt32?
    /// Seconds since 1970 of its last change; nil where we may not look.
    public var since: Int64?
    /// Why it counts as held although nothing was seen at the path.
    public var reason: String?

    /// One line for people.
    public var description: String {
        if let reason { return "\(path): \(reason)" }
        return "\(path), held by uid \(owner.map(String.init) ?? "unknown")"
    }
}

/// The files of the update lock on the host.
///
/// Held means that something exists at the path, whatever it is. The supervisor's own are known by owner, boot id and a
/// random token that it keeps in its runtime directory. Everything here but `areFree` and
/// `heldAsFarAsKnown` may block.
struct UpdateLockFiles: Sendable {
    /// Names in a service's lock directory.
    static let names = ["updates.lock", "resin-updates.lock"]
    /// Name in the application's /data, the oldest place.
    static let oldName = "resin-updates.lock"
    private static let temporaryPrefix = ".lock-"

    var directories: AppDirectories
    /// Of this boot; a lock of ours from an earlier one is stale.
    var bootID: String
    /// 32 hex digits, the same over restarts of the supervisor within one boot.
    var token: String

    /// What the lock covers.
    struct Scope: Sendable, Hashable {
        var app: AppID
        /// Services with a container that lives.
        var services: [String]
    }

    // MARK: Looking

    /// The locks in force for an application whose listed services run; our own are not among them.
    func held(_ scope: Scope) -> [HeldLock] {
        places(of: scope).compactMap { look(at: $0) }
    }

    /// Which of the directories are in memory.
    struct InMemory: Sendable {
        var locks = false
        var data = false

        fileprivate func holds(_ place: Place) -> Bool { place.service == nil ? data : locks }
    }

    func inMemory() -> InMemory {
        InMemory(
            locks: FileSystem.isInMemory(directories.lockDirectory),
            data: FileSystem.isInMemory(directories.dataDirectory)
        )
    }

    /// Whether certainly nothing holds the application: then `held` would find no lock. Waits for no disk, and is false
    /// where only that could tell.
    func areFree(_ scope: Scope, _ inMemory: InMemory) -> Bool {
        places(of: scope).allSatisfy {
            FileSystem.isKnownAbsent($0.path, inMemory: inMemory.holds($0))
        }
    }

    /// What can be told without a disk: a path of which only that could tell counts as held, for the reason that is given.
    func heldAsFarAsKnown(_ scope: Scope, _ inMemory: InMemory, otherwise reason: String) -> [HeldLock] {
        places(of: scope).compactMap { place in
            if inMemory.holds(place) { return look(at: place) }
            guard !FileSystem.isKnownAbsent(place.path, inMemory: false) else { return nil }
            return HeldLock(app: place.app, service: place.service, path: place.path, reason: reason)
        }
    }

    fileprivate struct Place {
        var app: AppID
        var service: String?
        var directory: String
        var name: String
        var path: String { directory + "/" + name }
    }

    private func places(of scope: Scope) -> [Place] {
        guard !scope.services.isEmpty else { return [] }
        var result: [Place] = []
        for service in scope.services.sorted() {
            let directory = directories.locks(of: ServiceKey(app: scope.app, service: service))
            for name in Self.names {
                result.append(Place(app: scope.app, service: service, directory: directory, name: name))
            }
        }
        result.append(
            Place(app: scope.app, service: nil, directory: directories.data(of: scope.app), name: Self.oldName)
        )
        return result
    }

    private func look(at place: Place) -> HeldLock? {
        do throws(SystemCallError) {
            guard let status = try FileSystem.status(place.path) else { return nil }
            if isOurs(place.path, status) { return nil }
            return HeldLock(
                app: place.app,
                service: place.service,
                path: place.path,
                owner: status.st_uid,
                since: Int64(status.st_mtim.tv_sec)
            )
        } catch {
            return unreadable(place, error)
        }
    }

    private func unreadable(_ place: Place, _ error: SystemCallError) -> HeldLock {
        HeldLock(app: place.app, service: place.service, path: place.path, reason: error.reason)
    }

    // MARK: Taking

    /// The supervisor's own lock over some services, until it is released.
    final class Taken: Sendable {
        fileprivate let paths: [String]
        fileprivate let descriptors: [Int32]

        fileprivate init(paths: [String], descriptors: [Int32]) {
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
                guard let there = try? FileSystem.status(path),
                    own.contains(where: { $0.st_ino == there.st_ino && $0.st_dev == there.st_dev })
                else { continue }
                unlink(path)
            }
            for descriptor in descriptors { close(descriptor) }
        }
    }

    enum Outcome: Sendable {
        case taken(Taken)
        /// Somebody else holds these; nothing was changed.
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
                    if let obstacle = obstacle(error, at: place) { obstacles.append(obstacle) }
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

    /// A file with our mark, locked, at a name that nobody looks at.
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

    // MARK: Ours

    private var mark: String { "supervisor \(bootID) \(token)\n" }

    private func isOurs(_ path: String, _ status: stat) -> Bool {
        guard status.isRegular, status.st_uid == geteuid(), status.st_size < 256,
            let bytes = try? FileSystem.read(path, limit: 256)
        else { return false }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[0] == "supervisor" else { return false }
        return words[1] != bootID || words[2] == token + "\n"
    }

    /// Removes every lock that a killed supervisor left; a user's never. Only for a supervisor that has just started.
    func clearOwn() {
        for name in (try? FileSystem.entries(directories.lockDirectory)) ?? [] {
            guard let app = AppID(digits: name) else { continue }
            let parent = directories.locks(of: app)
            removeTemporaries(in: parent)
            for service in (try? FileSystem.entries(parent)) ?? [] where !service.hasPrefix(".") {
                for name in Self.names { removeIfOurs("\(parent)/\(service)/\(name)") }
            }
        }
        removeTemporaries(in: directories.dataDirectory)
        for name in (try? FileSystem.entries(directories.dataDirectory)) ?? [] {
            guard let app = AppID(digits: name) else { continue }
            removeIfOurs(directories.data(of: app) + "/" + Self.oldName)
        }
    }

    /// Removes our lock in the application's /data before one of its services starts while others run.
    func removeOwnDataLock(of app: AppID) {
        removeIfOurs(directories.data(of: app) + "/" + Self.oldName)
    }

    private func removeTemporaries(in directory: String) {
        for name in (try? FileSystem.entries(directory)) ?? [] where name.hasPrefix(Self.temporaryPrefix) {
            unlink(directory + "/" + name)
        }
    }

    private func removeIfOurs(_ path: String) {
        guard let status = try? FileSystem.status(path), isOurs(path, status) else { return }
        unlink(path)
    }
}
