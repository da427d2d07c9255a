import CLinux
import Glibc

/// An empty directory that is removed with everything in it when nobody holds it any more.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/supervisor-host-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
    }

    deinit { Self.removeTree(path) }

    /// A path inside.
    subscript(name: String) -> String { path + "/" + name }

    func makeDirectory(_ name: String, mode: mode_t = 0o755) {
        precondition(mkdir(self[name], 0o755) == 0 && chmod(self[name], mode) == 0)
    }

    func write(_ text: String, _ name: String, mode: mode_t = 0o644) {
        // A new file: one that runs cannot be written to.
        unlink(self[name])
        let descriptor = clinux_openat(AT_FDCWD, self[name], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        precondition(descriptor >= 0, "\(name): \(String(cString: strerror(errno)))")
        let bytes = Array(text.utf8)
        precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        fchmod(descriptor, mode)
        close(descriptor)
    }

    /// nil where there is nothing to read.
    func text(_ name: String) -> String? {
        let descriptor = clinux_openat(AT_FDCWD, self[name], O_RDONLY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &bytes, bytes.count)
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func removeTree(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        if let stream = opendir(path) {
            var names: [String] = []
            while let entry = readdir(stream) {
                names.append(
                    withUnsafeBytes(of: &entry.pointee.d_name) {
                        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                    }
                )
            }
            closedir(stream)
            for name in names where name != "." && name != ".." { removeTree(path + "/" + name) }
        }
        rmdir(path)
    }
}
