import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// The lists of behaviours, and how far each is consumed.
struct Script {
    var path: String?
    /// Where the file beside the script cannot be written.
    private var counts: JSONObject = [:]

    /// The behaviour of this call by the first of `keys` that has a list; nil where none has.
    mutating func next(_ keys: [String]) -> Behaviour? {
        guard let path, let content = Files.read(path), let json = try? JSONValue(parsing: content) else {
            return nil
        }
        for key in keys {
            guard let list = json[key]?.arrayValue, !list.isEmpty else { continue }
            let position = consume(key, at: "\(path).count", digest: Self.digest(content))
            let json = list[min(position, list.count - 1)].objectValue ?? [:]
            return Behaviour(json: json)
        }
        return nil
    }

    /// How often `key` was consumed before. Several processes may share the file.
    private mutating func consume(_ key: String, at path: String, digest: String) -> Int {
        let file = creat(path)
        if file >= 0 { flock(file, LOCK_EX) }
        defer { if file >= 0 { close(file) } }
        var kept = counts
        if file >= 0, let content = Files.read(path), let json = try? JSONValue(parsing: content) {
            kept = json.objectValue ?? [:]
        }
        if kept["digest"]?.stringValue != digest { kept = ["digest": .string(digest)] }
        let position = kept[key]?.integerValue ?? 0
        kept[key] = .integer(position + 1)
        counts = kept
        if file >= 0 {
            let bytes = JSONValue.object(kept).encoded()
            ftruncate(file, 0)
            pwrite(file, bytes, bytes.count, 0)
        }
        return Int(position)
    }

    private func creat(_ path: String) -> Int32 {
        open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    }

    /// FNV-1a.
    private static func digest(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}

enum Files {
    static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return try? Descriptor.readAll(file, path, limit: 64 << 20)
    }

    /// Writes everything, however long it takes; false when the reader is gone.
    @discardableResult
    static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
        do { try Descriptor.writeAll(Array(bytes), to: descriptor, "descriptor \(descriptor)") } catch { return false }
        return true
    }
}
