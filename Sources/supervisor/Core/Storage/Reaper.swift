import CLinux
import Glibc

/// Removes trees that were renamed away, as far as the core's own user may: what another user owns in their own
/// directory stays, for a more privileged hand.
///
/// Works on descriptors, follows no link and enters no other file system. May block.
struct Reaper {
    /// Entries to remove before it is somebody else's turn.
    let limit: Int
    private(set) var removed = 0
    /// The first thing that could not be removed.
    private(set) var obstacle: SystemCallError?

    /// Whether it ended because of its limit.
    var isExhausted: Bool { removed >= limit }

    init(limit: Int) {
        self.limit = limit
    }

    /// Paths deeper than this are left alone: a tree that is deep enough to use up the descriptors holds no real data.
    private static let maximumDepth = 512

    mutating func remove(_ path: String) {
        guard !isExhausted, let status = try? FileSystem.status(path) else { return }
        if status.isDirectory {
            let descriptor = open(AT_FDCWD, path, path)
            if descriptor >= 0 { empty(descriptor, device: status.st_dev, path, depth: 0) }
            unlink(AT_FDCWD, path, AT_REMOVEDIR, path)
        } else {
            unlink(AT_FDCWD, path, 0, path)
        }
    }

    /// Consumes the descriptor.
    private mutating func empty(_ descriptor: Int32, device: dev_t, _ path: String, depth: Int) {
        guard let stream = fdopendir(descriptor) else {
            recordFailure("opendir", path)
            close(descriptor)
            return
        }
        defer { closedir(stream) }
        // What is to be emptied must be writable; it will not be missed.
        _ = fchmod(descriptor, 0o700)
        while !isExhausted, let entry = readdir(stream) {
            // Bytes, since a name need not be UTF-8.
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let name = bytes.map { CChar(bitPattern: $0) } + [0]
            let text = String(decoding: bytes, as: UTF8.self)
            guard text != ".", text != ".." else { continue }
            let child = path + "/" + text
            var status = stat()
            guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            guard status.isDirectory else {
                unlink(descriptor, name, 0, child)
                continue
            }
            guard status.st_dev == device, depth < Self.maximumDepth else {
                recordFailure("enter", child, EXDEV)
                continue
            }
            let opened = open(descriptor, name, child)
            if opened >= 0 { empty(opened, device: device, child, depth: depth + 1) }
            unlink(descriptor, name, AT_REMOVEDIR, child)
        }
    }

    private mutating func open(_ directory: Int32, _ name: UnsafePointer<CChar>, _ path: String) -> Int32 {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var descriptor = clinux_openat(directory, name, flags, 0)
        if descriptor < 0, errno == EACCES, fchmodat(directory, name, 0o700, 0) == 0 {
            descriptor = clinux_openat(directory, name, flags, 0)
        }
        if descriptor < 0 { recordFailure("open", path) }
        return descriptor
    }

    private mutating func unlink(
        _ directory: Int32,
        _ name: UnsafePointer<CChar>,
        _ flags: Int32,
        _ path: String
    ) {
        if isExhausted { return }
        if unlinkat(directory, name, flags) == 0 {
            removed += 1
        } else {
            recordFailure("remove", path)
        }
    }

    private mutating func recordFailure(_ call: String, _ path: String, _ code: Int32 = errno) {
        if obstacle == nil { obstacle = SystemCallError(call, path, code: code) }
    }
}
