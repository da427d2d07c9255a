import Glibc
import LinuxSupport

/// What stands at the path of a unit file or drop-in.
enum UnitFileEntry {
    case absent
    /// A link to /dev/null or an empty file: files later in the search path must not be used either.
    case mask
    case bytes([UInt8])

    /// Reads `path`. A dangling link is an error, not an absent file: a file was meant to be there.
    static func read(_ path: String) throws(UnitFileError) -> UnitFileEntry {
        // Without waiting, because the entry may be a FIFO.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            let code = errno
            var status = stat()
            if (code == ENOENT || code == ENOTDIR) && lstat(path, &status) != 0 { return .absent }
            throw unreadable(path, code)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFCHR where isNullDevice(status): return .mask
        case S_IFDIR: throw unreadable(path, EISDIR)
        default: throw UnitFileError(.unreadable, file: path, reason: "not a regular file")
        }
        if status.st_size == 0 { return .mask }
        do throws(SystemCallError) {
            // One byte more than is allowed at most, which the parser then refuses.
            return .bytes(try Descriptor.readStart(descriptor, path, limit: UnitFile.sizeLimit + 1))
        } catch {
            throw unreadable(path, error.code)
        }
    }

    private static func isNullDevice(_ status: stat) -> Bool {
        var null = stat()
        return stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev
    }

    static func unreadable(_ path: String, _ code: Int32) -> UnitFileError {
        UnitFileError(.unreadable, file: path, reason: "cannot be read: \(String(cString: strerror(code)))")
    }
}
