import Glibc
import LinuxSupport

/// A small file of state in two generations: `NAME` is the present one, `NAME.last` the last good one before it.
///
/// Writing goes to a temporary that is flushed, the present file is linked as the last good one, the temporary is renamed
/// over it, and the directory is flushed: at no moment is there no file. Everything here may block.
struct StateFile: Sendable {
    let directory: String
    let name: String
    let mode: mode_t

    private var present: String { "\(directory)/\(name)" }
    private var last: String { "\(directory)/\(name).last" }
    private var temporary: String { "\(directory)/\(name).new" }

    /// No state of ours comes near this.
    private static let limit = 8 << 20

    struct Loaded<Content: Sendable>: Sendable {
        var content: Content?
        /// What was wrong with which file, one line each.
        var problems: [String] = []
        /// The present generation is the content, and the last one holds the same or an older good one.
        var isIntact = true
    }

    /// Why a generation cannot be used.
    enum Flaw: Error {
        case damaged(String)
        /// Written by a newer supervisor; kept aside.
        case newer(Int64)
    }

    /// Reads the present generation, or else the last good one. What cannot be used is kept aside under another name.
    func load<Content: Sendable>(_ parse: ([UInt8]) throws(Flaw) -> Content) -> Loaded<Content> {
        var result = Loaded<Content>()
        for path in [present, last] {
            do {
                guard let bytes = try FileSystem.read(path, limit: Self.limit) else {
                    if path == present { result.isIntact = false }
                    continue
                }
                result.content = try parse(bytes)
                return result
            } catch let flaw as Flaw {
                switch flaw {
                case .damaged(let reason):
                    result.problems.append("\(path) is damaged: \(reason)")
                    _ = rename(path, path + ".damaged")
                case .newer(let version):
                    let aside = "\(path).version-\(version)"
                    result.problems.append("\(path) was written by a newer version; kept as \(aside)")
                    _ = rename(path, aside)
                }
            } catch {
                result.problems.append("\(error)")
                _ = rename(path, path + ".damaged")
            }
            result.isIntact = false
        }
        return result
    }

    /// Replaces the present generation; what it was becomes the last good one.
    func save(_ bytes: [UInt8]) throws(SystemCallError) {
        do throws(SystemCallError) {
            try FileSystem.write(bytes, to: temporary, mode: mode)
            try keepPresentAsLast()
            try FileSystem.rename(temporary, present)
            try FileSystem.synchronize(directory: directory)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Replaces both generations, so that a fallback never brings the former content back.
    func saveBoth(_ bytes: [UInt8]) throws(SystemCallError) {
        let other = temporary + ".last"
        do throws(SystemCallError) {
            // Both are on the disk before either is in effect.
            try FileSystem.write(bytes, to: temporary, mode: mode)
            try FileSystem.write(bytes, to: other, mode: mode)
            try FileSystem.rename(other, last)
            try FileSystem.rename(temporary, present)
        } catch {
            unlink(temporary)
            unlink(other)
            throw error
        }
        // Both are in effect: a directory that cannot be flushed does not change that.
        try? FileSystem.synchronize(directory: directory)
    }

    private func keepPresentAsLast() throws(SystemCallError) {
        guard try FileSystem.status(present) != nil else { return }
        let linked = last + ".new"
        unlink(linked)
        if link(present, linked) != 0 {
            // A file of another user, restored by root say, may be read but not linked (fs.protected_hardlinks of
            // proc_sys_fs(5)). One that may not be read either is no generation worth keeping.
            guard let bytes = try? FileSystem.read(present, limit: Self.limit) else { return }
            try FileSystem.write(bytes, to: linked, mode: mode)
        }
        try FileSystem.rename(linked, last)
        // rename(2) of two names of one file does nothing: the link stays then.
        unlink(linked)
    }
}
