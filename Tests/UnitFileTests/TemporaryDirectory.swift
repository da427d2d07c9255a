import Glibc

/// A directory with what a test puts into it, removed with the last reference.
final class TemporaryDirectory {
    let path: String
    /// In the order in which it was made.
    private var made: [String]

    struct Failure: Error {
        var path: String
        var code: Int32
    }

    init() throws {
        var template = Array("/tmp/unit-file-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(path: "/tmp", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        made = [path]
    }

    deinit {
        for path in made.reversed() { remove(path) }
    }

    /// Writes a file at a relative path, making the directories that it lies in. Returns the absolute path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = try place(for: name)
        guard let file = fopen(path, "wx") else { throw Failure(path: path, code: errno) }
        made.append(path)
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw Failure(path: path, code: errno) }
        return path
    }

    @discardableResult
    func link(_ name: String, to target: String) throws -> String {
        let path = try place(for: name)
        guard symlink(target, path) == 0 else { throw Failure(path: path, code: errno) }
        made.append(path)
        return path
    }

    @discardableResult
    func makeFIFO(_ name: String) throws -> String {
        let path = try place(for: name)
        guard mkfifo(path, 0o600) == 0 else { throw Failure(path: path, code: errno) }
        made.append(path)
        return path
    }

    @discardableResult
    func makeDirectory(_ name: String) throws -> String { try place(for: "\(name)/.").dropLast(2).description }

    private func place(for name: String) throws -> String {
        var path = self.path
        let parts = name.split(separator: "/")
        for part in parts.dropLast() {
            path += "/\(part)"
            if mkdir(path, 0o700) == 0 {
                made.append(path)
            } else if errno != EEXIST {
                throw Failure(path: path, code: errno)
            }
        }
        return "\(path)/\(parts.last ?? "")"
    }
}
