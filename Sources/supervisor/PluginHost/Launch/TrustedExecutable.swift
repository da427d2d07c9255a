import CLinux
import Glibc
import LinuxSupport

/// Why an executable must not run.
struct ExecutableError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
}

/// Opens executables that only root and the core's own user can change.
///
/// The path is walked from the root, a component at a time and through descriptors, links included: what was looked at is
/// what is opened. Each directory on the way, each link and the file itself must belong to root or to the user, and others
/// must not be able to write to it; a directory that they may write to is accepted if it is sticky, since what lies in it
/// is theirs alone who own it (inode(7)). Access control lists need no look of their own: their mask shows in the bits of
/// the group (acl(5)).
enum TrustedExecutable {
    /// Links to follow in one path, as the kernel does (path_resolution(7)).
    private static let linkLimit = 40

    /// A descriptor opened with O_PATH and O_CLOEXEC, the caller's to close.
    static func open(_ path: String, user: uid_t = geteuid()) throws(ExecutableError) -> Int32 {
        var walk = Walk(path: path, user: user)
        defer { walk.end() }
        return try walk.run()
    }

    private struct Walk {
        let path: String
        let user: uid_t
        /// Where the walk is, and its path for messages.
        var directory: Int32 = -1
        var trail: [String] = []
        /// What is still to be walked, the next component last.
        var rest: [String]
        var links = 0

        init(path: String, user: uid_t) {
            self.path = path
            self.user = user
            rest = Self.components(path)
        }

        func end() {
            if directory >= 0 { close(directory) }
        }

        mutating func run() throws(ExecutableError) -> Int32 {
            try enterRoot()
            while let name = rest.popLast() {
                if name == ".." {
                    try enter("..")
                    _ = trail.popLast()
                    continue
                }
                let status = try look(at: name)
                switch status.st_mode & S_IFMT {
                case S_IFLNK:
                    try check(owner: status, of: here(name))
                    try follow(name)
                case S_IFDIR where !rest.isEmpty:
                    try enter(name)
                    trail.append(name)
                case S_IFREG where rest.isEmpty:
                    return try open(name)
                case S_IFREG:
                    throw refusal(here(name), "is not a directory")
                default:
                    throw refusal(here(name), "is not a regular file")
                }
            }
            throw refusal(path, "is not a regular file")
        }

        // MARK: Steps

        private mutating func enterRoot() throws(ExecutableError) {
            let root = clinux_openat(AT_FDCWD, "/", CLINUX_O_PATH | O_DIRECTORY | O_CLOEXEC, 0)
            guard root >= 0 else { throw refusal("/", errno) }
            replaceDirectory(with: root)
            trail = []
            try check(directory: "/")
        }

        private mutating func enter(_ name: String) throws(ExecutableError) {
            let next = clinux_openat(directory, name, CLINUX_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            guard next >= 0 else { throw refusal(here(name), errno) }
            replaceDirectory(with: next)
            try check(directory: here(name))
        }

        private mutating func follow(_ name: String) throws(ExecutableError) {
            links += 1
            guard links <= TrustedExecutable.linkLimit else { throw refusal(path, ELOOP) }
            var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = readlinkat(directory, name, &target, target.count)
            guard count > 0, count < target.count else { throw refusal(here(name), count < 0 ? errno : ENAMETOOLONG) }
            let text = String(decoding: target[..<count], as: UTF8.self)
            rest += Self.components(text)
            if text.begins(with: "/") { try enterRoot() }
        }

        private func open(_ name: String) throws(ExecutableError) -> Int32 {
            let file = clinux_openat(directory, name, CLINUX_O_PATH | O_NOFOLLOW | O_CLOEXEC, 0)
            guard file >= 0 else { throw refusal(here(name), errno) }
            do throws(ExecutableError) {
                // It may be another one by now.
                let status = try status(of: file, here(name))
                guard status.st_mode & S_IFMT == S_IFREG else { throw refusal(here(name), "is not a regular file") }
                try check(owner: status, of: here(name))
                try check(mode: status, of: here(name))
                guard status.st_mode & 0o111 != 0 else { throw refusal(here(name), "is not executable") }
            } catch {
                close(file)
                throw error
            }
            return file
        }

        private mutating func replaceDirectory(with descriptor: Int32) {
            end()
            directory = descriptor
        }

        // MARK: Checks

        private func look(at name: String) throws(ExecutableError) -> stat {
            var status = stat()
            guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw refusal(here(name), errno) }
            return status
        }

        private func status(of descriptor: Int32, _ place: String) throws(ExecutableError) -> stat {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw refusal(place, errno) }
            return status
        }

        private func check(directory place: String) throws(ExecutableError) {
            let status = try status(of: directory, place)
            try check(owner: status, of: place)
            if status.st_mode & S_ISVTX == 0 { try check(mode: status, of: place) }
        }

        private func check(owner status: stat, of place: String) throws(ExecutableError) {
            guard status.st_uid == 0 || status.st_uid == user else {
                throw refusal(place, "belongs to user \(status.st_uid), neither root nor the supervisor's own")
            }
        }

        private func check(mode status: stat, of place: String) throws(ExecutableError) {
            if status.st_mode & S_IWOTH != 0 { throw refusal(place, "is writable by everyone") }
            if status.st_mode & S_IWGRP != 0 { throw refusal(place, "is writable by its group") }
        }

        // MARK: Words

        /// The next component last.
        private static func components(_ path: String) -> [String] {
            path.parts(separatedBy: UInt8(ascii: "/")).map(String.init)
                .filter { !$0.isEmpty && !$0.isExactly(".") }.reversed()
        }

        private func here(_ name: String) -> String {
            "/" + (trail + [name]).joined(separator: "/")
        }

        private func refusal(_ place: String, _ reason: String) -> ExecutableError {
            let way = place == path ? "" : " (on the way to \(path))"
            return ExecutableError(description: "\(place) \(reason)\(way)")
        }

        private func refusal(_ place: String, _ code: Int32) -> ExecutableError {
            refusal(place, "cannot be used: \(String(cString: strerror(code)))")
        }
    }
}
