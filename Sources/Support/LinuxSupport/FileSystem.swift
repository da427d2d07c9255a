package import CLinux
import Glibc

/// File operations by path, over plain POSIX calls. All of them but `isKnownAbsent` may block: in the daemon they belong on
/// the worker.
package enum FileSystem {
    /// What lstat(2) says; nil where nothing is there.
    package static func status(_ path: String) throws(SystemCallError) -> stat? {
        var result = stat()
        if lstat(path, &result) == 0 { return result }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw SystemCallError("lstat", path)
    }

    /// Whether a path is on a tmpfs or ramfs, where looking at a name never waits for a disk.
    package static func isInMemory(_ path: String) -> Bool { clinux_is_in_memory(path) != 0 }

    /// Whether certainly nothing is at a path. Never waits for a disk: false also if only the disk could answer.
    ///
    /// - Parameter inMemory: what `isInMemory` said of the file system. Such a one keeps no note of names that it does not
    ///   have, which is what the kernel answers from elsewhere (openat2(2), RESOLVE_CACHED).
    package static func isKnownAbsent(_ path: String, inMemory: Bool) -> Bool {
        guard inMemory else { return clinux_is_known_absent(path) != 0 }
        do { return try status(path) == nil } catch { return false }
    }

    /// A whole file of at most `limit` bytes; nil where there is none.
    package static func read(_ path: String, limit: Int) throws(SystemCallError) -> [UInt8]? {
        let descriptor = clinux_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw SystemCallError("open", path)
        }
        defer { close(descriptor) }
        return try Descriptor.readAll(descriptor, path, limit: limit)
    }

    /// Writes a new file and flushes it to the disk. What is there already is replaced, not followed.
    package static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(SystemCallError) {
        unlink(path)
        let descriptor = clinux_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw SystemCallError("create", path) }
        do throws(SystemCallError) {
            // The umask may have taken bits away.
            guard fchmod(descriptor, mode) == 0 else { throw SystemCallError("chmod", path) }
            try Descriptor.writeAll(bytes, to: descriptor, path)
            guard fsync(descriptor) == 0 else { throw SystemCallError("fsync", path) }
        } catch {
            close(descriptor)
            unlink(path)
            throw error
        }
        close(descriptor)
    }

    package static func rename(_ from: String, _ to: String) throws(SystemCallError) {
        guard Glibc.rename(from, to) == 0 else { throw SystemCallError("rename", from) }
    }

    /// Flushes a directory's entries to the disk.
    package static func synchronize(directory: String) throws(SystemCallError) {
        let descriptor = clinux_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw SystemCallError("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemCallError("fsync", directory) }
    }

    /// Makes a directory with exactly this mode. One that is there already is left as it is.
    package static func makeDirectory(_ path: String, mode: mode_t) throws(SystemCallError) {
        if mkdir(path, mode) != 0 {
            if errno == EEXIST { return }
            throw SystemCallError("mkdir", path)
        }
        guard chmod(path, mode) == 0 else { throw SystemCallError("chmod", path) }
    }

    /// Makes a directory and those above it that are missing.
    package static func makeDirectories(_ path: String, mode: mode_t) throws(SystemCallError) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            if try status(prefix) == nil { try makeDirectory(prefix, mode: mode) }
        }
    }

    /// The names in a directory without "." and "..", sorted; none where there is no directory.
    package static func entries(_ directory: String) throws(SystemCallError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw SystemCallError("opendir", directory)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// A name that nothing has yet, in practice: 16 random hex digits behind `prefix`.
    package static func uniqueName(_ prefix: String) -> String {
        prefix + hex(UInt64.random(in: .min ... .max))
    }

    package static func hex(_ number: some FixedWidthInteger & UnsignedInteger) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: number.bitWidth / 4 - digits.count) + digits
    }
}

extension stat {
    package var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
    package var isRegular: Bool { st_mode & S_IFMT == S_IFREG }
    /// The bits that chmod(2) sets.
    package var permissions: mode_t { st_mode & 0o7777 }
}
