import Glibc

/// A directory of a test's own, removed with it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        // Memory, where the machine has it: the trees of these tests are large.
        let parent = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/storage-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
    }

    deinit {
        remove(path)
    }

    subscript(name: String) -> String { path + "/" + name }

    func exists(_ name: String) -> Bool {
        var status = stat()
        return lstat(self[name], &status) == 0
    }

    /// Makes a directory and those above it.
    @discardableResult
    func directory(_ name: String) -> String {
        var prefix = path
        for part in name.split(separator: "/") {
            prefix += "/" + part
            mkdir(prefix, 0o755)
        }
        return prefix
    }

    @discardableResult
    func file(_ name: String) -> String {
        if let slash = name.lastIndex(of: "/") { directory(String(name[..<slash])) }
        close(open(self[name], O_WRONLY | O_CREAT, 0o644))
        return self[name]
    }

    func names(_ name: String = "") -> [String] { Self.names(self[name]) }

    private static func names(_ path: String) -> [String] {
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

    private func remove(_ path: String) {
        chmod(path, 0o700)
        for name in Self.names(path) {
            let child = path + "/" + name
            var status = stat()
            if lstat(child, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { remove(child) } else { unlink(child) }
        }
        rmdir(path)
    }
}
