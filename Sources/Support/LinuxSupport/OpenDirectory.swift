import CLinux
import Glibc

/// A directory that is open. Names are looked up in this very directory from now on, whatever is renamed or swapped on the
/// way to it.
package final class OpenDirectory {
    /// Distinguishes one mounted tree from another: a bind mount is on the same device, but is another mount.
    struct Place: Equatable {
        var device: dev_t
        var mount: UInt64
    }

    package struct Entry {
        package var name: FileName
        /// false if the file system does not report it.
        package var isSurelyNoDirectory: Bool
    }

    package let descriptor: Int32
    let place: Place
    let inode: ino_t
    private let stream: OpaquePointer

    deinit {
        closedir(stream)
    }

    /// Opens a directory by its path, which root or the core has chosen: links on the way are followed, one at its end is
    /// not.
    package convenience init(path: String) throws(SystemCallError) {
        try self.init(descriptor: clinux_openat(AT_FDCWD, path, Self.flags, 0), path, within: nil)
    }

    /// Opens what is named in `parent`, if it is a directory in the same place; EXDEV if something is mounted there. Errors
    /// name the entry, not the whole path.
    ///
    /// - Parameter isDoomed: whether its mode may be changed in order to open it.
    package convenience init(
        _ name: FileName,
        in parent: OpenDirectory,
        isDoomed: Bool = false
    ) throws(SystemCallError) {
        var descriptor = clinux_openat(parent.descriptor, name.characters, Self.flags, 0)
        if descriptor < 0, errno == EACCES, isDoomed {
            descriptor = try Self.openClosed(name, in: parent)
        }
        try self.init(descriptor: descriptor, name.text, within: parent.place)
    }

    private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    /// Takes the descriptor over, also when it throws.
    private init(descriptor: Int32, _ path: String, within expected: Place?) throws(SystemCallError) {
        guard descriptor >= 0 else { throw SystemCallError("open", path) }
        do throws(SystemCallError) {
            (place, inode) = try Self.identity(descriptor, path)
            if let expected, place != expected { throw SystemCallError("enter", path, code: EXDEV) }
        } catch {
            close(descriptor)
            throw error
        }
        guard let stream = fdopendir(descriptor) else {
            let error = SystemCallError("opendir", path)
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.stream = stream
    }

    private static func identity(_ descriptor: Int32, _ path: String) throws(SystemCallError) -> (Place, ino_t) {
        var status = stat()
        var mount: UInt64 = 0
        guard fstat(descriptor, &status) == 0, clinux_mount_id(descriptor, &mount) == 0 else {
            throw SystemCallError("stat", path)
        }
        guard status.isDirectory else { throw SystemCallError("open", path, code: ENOTDIR) }
        return (Place(device: status.st_dev, mount: mount), status.st_ino)
    }

    /// Opens a directory of our own user that is not readable: gives it a mode under which it can be emptied. Works on
    /// a descriptor that grants nothing else, so that a name which changes meanwhile leads nowhere else.
    private static func openClosed(_ name: FileName, in parent: OpenDirectory) throws(SystemCallError) -> Int32 {
        let path = clinux_open_path(parent.descriptor, name.characters)
        guard path >= 0 else { throw SystemCallError("open", name.text) }
        defer { close(path) }
        guard try identity(path, name.text).0 == parent.place else {
            throw SystemCallError("enter", name.text, code: EXDEV)
        }
        guard chmod("/proc/self/fd/\(path)", 0o700) == 0 else {
            throw SystemCallError("chmod", name.text, code: EACCES)
        }
        return clinux_openat(path, ".", flags, 0)
    }

    /// Lets its owner change what is in it. Where that is not allowed, removing will say so.
    package func makeWritable() {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & 0o700 != 0o700 else { return }
        _ = fchmod(descriptor, 0o700)
    }

    /// The next entry but "." and ".."; nil at the end. What comes and goes meanwhile may be missed.
    package func next() -> Entry? {
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { FileName($0.prefix { $0 != 0 }) }
            guard name.bytes != [0x2E], name.bytes != [0x2E, 0x2E] else { continue }
            let type = Int32(entry.pointee.d_type)
            return Entry(name: name, isSurelyNoDirectory: type != Int32(DT_DIR) && type != Int32(DT_UNKNOWN))
        }
        return nil
    }

    package func rewind() {
        rewinddir(stream)
    }

    /// Whether the name refers to `directory` at this moment.
    package func names(_ name: FileName, _ directory: OpenDirectory) -> Bool {
        var status = stat()
        return fstatat(descriptor, name.characters, &status, AT_SYMLINK_NOFOLLOW) == 0
            && status.st_dev == directory.place.device && status.st_ino == directory.inode
    }

    /// Whether the name refers to a directory at this moment.
    package func hasDirectory(_ name: FileName) -> Bool {
        var status = stat()
        return fstatat(descriptor, name.characters, &status, AT_SYMLINK_NOFOLLOW) == 0
            && status.isDirectory
    }
}
