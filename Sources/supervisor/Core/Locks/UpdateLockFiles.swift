import CLinux
import Glibc
import LinuxSupport

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
    static let temporaryPrefix = ".lock-"

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

    /// The locks held on an application whose listed services run; our own are not among them.
    func held(_ scope: Scope) -> [HeldLock] {
        let seen = places(of: scope).compactMap { look(at: $0) }
        return seen.isEmpty ? overfull(scope).map { [$0] } ?? [] : seen
    }

    /// Where an application has filled its lock directory neither it nor we can take a lock there: that counts as held.
    ///
    /// - Parameter hasFailed: taking it has just failed for that.
    func overfull(_ scope: Scope, hasFailed: Bool = false) -> HeldLock? {
        guard let service = scope.services.min(),
            let reason = directories.overfullLocks(of: scope.app, hasFailed: hasFailed)
        else { return nil }
        let path = directories.locks(of: ServiceKey(app: scope.app, service: service))
        return HeldLock(app: scope.app, service: service, path: path, reason: reason)
    }

    /// Which of the directories are in memory.
    struct InMemory: Sendable {
        var locks = false
        var data = false

        func holds(_ place: Place) -> Bool { place.service == nil ? data : locks }
    }

    func inMemory() -> InMemory {
        InMemory(
            locks: FileSystem.isInMemory(directories.lockDirectory),
            data: FileSystem.isInMemory(directories.dataDirectory)
        )
    }

    /// Whether certainly nothing holds the application: then `held` would find no lock. Waits for no disk, and is false
    /// where only that could answer.
    func areFree(_ scope: Scope, _ inMemory: InMemory) -> Bool {
        places(of: scope).allSatisfy {
            FileSystem.isKnownAbsent($0.path, inMemory: inMemory.holds($0))
        } && (!inMemory.locks || !directories.isFull(scope.app))
    }

    /// What is known without a disk: a path that only the disk could answer for counts as held, for the given reason.
    func heldAsFarAsKnown(_ scope: Scope, _ inMemory: InMemory, otherwise reason: String) -> [HeldLock] {
        places(of: scope).compactMap { place in
            if inMemory.holds(place) { return look(at: place) }
            guard !FileSystem.isKnownAbsent(place.path, inMemory: false) else { return nil }
            return HeldLock(app: place.app, service: place.service, path: place.path, reason: reason)
        }
    }

    struct Place {
        var app: AppID
        var service: String?
        var directory: String
        var name: String
        var path: String { directory + "/" + name }
    }

    func places(of scope: Scope) -> [Place] {
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

    func look(at place: Place) -> HeldLock? {
        do throws(SystemCallError) {
            guard let entry = try LockEntry(place.path) else { return nil }
            if isOurs(entry) { return nil }
            return HeldLock(
                app: place.app,
                service: place.service,
                path: place.path,
                owner: entry.status.st_uid,
                since: Int64(entry.status.st_mtim.tv_sec)
            )
        } catch {
            return unreadable(place, error)
        }
    }

    func unreadable(_ place: Place, _ error: SystemCallError) -> HeldLock {
        HeldLock(app: place.app, service: place.service, path: place.path, reason: error.reason)
    }

    // MARK: Ours

    var mark: String { "supervisor \(bootID) \(token)\n" }

    private func isOurs(_ entry: LockEntry) -> Bool {
        guard let content = entry.content(ownedBy: geteuid(), limit: 256) else { return false }
        let words = String(decoding: content, as: UTF8.self).split(separator: " ")
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
        guard let entry = try? LockEntry(path), isOurs(entry) else { return }
        entry.remove(by: Self.temporaryPrefix)
    }
}
