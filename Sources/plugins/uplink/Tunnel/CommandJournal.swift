import CLinux
import Glibc
import LinuxSupport

/// The ids of commands that were passed on, on the disk before that happens, so that none is done twice, whatever ends in
/// between.
///
/// A file of one id a line, to which is appended; it is written afresh when it has become long. Its methods may block: one
/// caller at a time, on a worker.
final class CommandJournal {
    /// Ids that are kept.
    static let capacity = 256
    private static let linesAtMost = 4 * capacity

    private let path: String
    private let directory: String
    private var ids: [String] = []
    private var descriptor: Int32 = -1
    private var lines = 0
    /// The file may end in the middle of a line.
    private var isTorn = false

    init(directory: String) {
        self.directory = directory
        path = directory + "/commands"
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads what is there, and returns it. A last line that is not whole was never synced, so its command was not done.
    func load() throws(SystemCallError) -> [String] {
        let bytes = try FileSystem.read(path, limit: 1 << 20) ?? []
        let whole = bytes.lastIndex(of: UInt8(ascii: "\n")).map { bytes[...$0] } ?? []
        let found = whole.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        ids = found.filter(Command.isID).suffix(Self.capacity)
        lines = found.count
        isTorn = whole.count < bytes.count
        return ids
    }

    /// Returns when the id is on the disk. Throws where it may not be; then the command must not be done.
    func append(_ id: String) throws(SystemCallError) {
        ids.append(id)
        if ids.count > Self.capacity { ids.removeFirst(ids.count - Self.capacity) }
        do throws(SystemCallError) {
            if descriptor < 0 || isTorn || lines >= Self.linesAtMost {
                try rewrite()
            } else {
                isTorn = true
                try Descriptor.writeAll(Array("\(id)\n".utf8), to: descriptor, path)
                guard fdatasync(descriptor) == 0 else { throw SystemCallError("fdatasync", path) }
                isTorn = false
                lines += 1
            }
        } catch {
            // The line may be there or not: the file is written afresh before the next one.
            isTorn = true
            ids.removeAll { $0 == id }
            throw error
        }
    }

    private func rewrite() throws(SystemCallError) {
        if descriptor >= 0 {
            close(descriptor)
            descriptor = -1
        }
        try FileSystem.write(ids.flatMap { Array("\($0)\n".utf8) }, to: path + ".new", mode: 0o600)
        try FileSystem.rename(path + ".new", path)
        try FileSystem.synchronize(directory: directory)
        descriptor = clinux_openat(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { throw SystemCallError("open", path) }
        lines = ids.count
        isTorn = false
    }
}
