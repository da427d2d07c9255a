import CLinux
import Glibc
import TestSupport

/// A small tmpfs(5) that a test can fill up.
struct FullFileSystem {
    let path: String

    /// Whether this process may mount.
    static let isPossible: Bool = {
        guard geteuid() == 0 else { return false }
        let directory = TemporaryDirectory()
        guard mount("none", directory.path, "tmpfs", 0, "size=4096") == 0 else { return false }
        umount2(directory.path, Int32(MNT_DETACH))
        return true
    }()

    /// - Parameter inodes: how many there are, the root directory's included.
    init(at path: String, inodes: Int) throws {
        guard mount("none", path, "tmpfs", 0, "nr_inodes=\(inodes),size=65536") == 0 else {
            throw TestError(description: "mount \(path): \(String(cString: strerror(errno)))")
        }
        self.path = path
    }

    func unmount() { umount2(path, Int32(MNT_DETACH)) }
}

/// What went wrong with the test itself.
struct TestError: Error, CustomStringConvertible {
    var description: String
}
