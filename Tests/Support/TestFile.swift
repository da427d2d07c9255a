package import CLinux
import Glibc
import LinuxSupport

/// File operations for tests: what an application or a user would do. A failure ends the test run, since nothing that
/// follows would mean anything.
package enum TestFile {
    /// Empties a file that is there.
    package static func write(_ text: String, _ path: String, mode: mode_t = 0o644) {
        write(Array(text.utf8), path, mode: mode)
    }

    package static func write(_ bytes: [UInt8], _ path: String, mode: mode_t = 0o644) {
        let descriptor = clinux_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        precondition(descriptor >= 0, "\(path): \(String(cString: strerror(errno)))")
        do { try Descriptor.writeAll(bytes, to: descriptor, path) } catch { preconditionFailure("\(error)") }
        close(descriptor)
    }

    package static func makeDirectories(_ path: String, mode: mode_t = 0o755) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            precondition(mkdir(prefix, mode) == 0 || errno == EEXIST, prefix)
        }
    }

    /// nil where there is nothing to read.
    package static func text(_ path: String) -> String? {
        guard let bytes = try? FileSystem.read(path, limit: 1 << 20) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What lstat(2) says; nil where nothing is there.
    package static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    package static func exists(_ path: String) -> Bool { status(path) != nil }

    /// The bits that chmod(2) sets; nil where nothing is there.
    package static func mode(_ path: String) -> mode_t? { status(path)?.permissions }

    /// What is in a directory, sorted; nothing where there is none.
    package static func names(_ path: String) -> [String] { (try? FileSystem.entries(path)) ?? [] }

    /// Removes a tree; links are not followed.
    package static func removeTree(_ path: String) {
        guard let status = status(path) else { return }
        guard status.isDirectory else {
            unlink(path)
            return
        }
        chmod(path, 0o700)
        for name in names(path) { removeTree(path + "/" + name) }
        rmdir(path)
    }
}
