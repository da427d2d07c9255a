import CLinux
import Glibc

/// An empty directory that is removed with everything in it when nobody holds it any more.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        // Memory, where the machine has it: state files are flushed, and a disk takes its time.
        let parent = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/supervisor-core-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
    }

    deinit { TestFile.removeTree(path) }

    /// A path inside.
    subscript(name: String) -> String { path + "/" + name }
}

/// File operations for the tests: what an application or a user would do. A failure ends the test run, since nothing
/// that follows would mean anything.
enum TestFile {
    static func write(_ text: String, _ path: String, mode: mode_t = 0o644) {
        let descriptor = clinux_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        precondition(descriptor >= 0, "\(path): \(String(cString: strerror(errno)))")
        let bytes = Array(text.utf8)
        precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    static func makeDirectories(_ path: String) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            precondition(mkdir(prefix, 0o755) == 0 || errno == EEXIST, prefix)
        }
    }

    /// nil where there is nothing to read.
    static func text(_ path: String) -> String? {
        let descriptor = clinux_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// What lstat(2) says; nil where nothing is there.
    static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    static func exists(_ path: String) -> Bool { status(path) != nil }

    /// The bits that chmod(2) sets; nil where nothing is there.
    static func mode(_ path: String) -> mode_t? { status(path).map { $0.st_mode & 0o7777 } }

    static func names(_ path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a tree; links are not followed.
    static func removeTree(_ path: String) {
        guard let status = status(path) else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        chmod(path, 0o700)
        for name in names(path) { removeTree(path + "/" + name) }
        rmdir(path)
    }
}
