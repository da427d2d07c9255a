package import CLinux
import Glibc

/// An empty directory that is removed with everything in it with the last reference.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// - Parameter parent: memory, where the machine has it, unless it is named: state files are flushed, trees are large, and
    ///   a disk takes its time. Programs may not run there.
    package init(in parent: String? = nil) {
        let parent = parent ?? (access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp")
        var template = Array("\(parent)/supervisor-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
    }

    deinit { TestFile.removeTree(path) }

    /// A path inside.
    package subscript(name: String) -> String { path + "/" + name }

    package func exists(_ name: String) -> Bool { TestFile.exists(self[name]) }

    /// nil where there is nothing to read.
    package func text(_ name: String) -> String? { TestFile.text(self[name]) }

    /// What is in a directory, sorted; nothing where there is none.
    package func names(_ name: String = "") -> [String] { TestFile.names(self[name]) }

    /// Makes a directory and those above it. Returns its path.
    @discardableResult
    package func directory(_ name: String, mode: mode_t = 0o755) -> String {
        TestFile.makeDirectories(self[name])
        if mode != 0o755 { precondition(chmod(self[name], mode) == 0, name) }
        return self[name]
    }

    /// Makes an empty file and the directories that it lies in. Returns its path.
    @discardableResult
    package func file(_ name: String) -> String { write("", to: name) }

    /// Writes a file, a new one, since one that runs cannot be written to, and makes the directories that it lies in. Returns
    /// its path.
    @discardableResult
    package func write(_ text: String, to name: String, mode: mode_t = 0o644) -> String {
        write(Array(text.utf8), to: name, mode: mode)
    }

    @discardableResult
    package func write(_ bytes: [UInt8], to name: String, mode: mode_t = 0o644) -> String {
        if let slash = name.lastIndex(of: "/") { directory(String(name[..<slash])) }
        unlink(self[name])
        TestFile.write(bytes, self[name], mode: mode)
        // The umask may have taken bits away.
        chmod(self[name], mode)
        return self[name]
    }
}
