import JSON
import LinuxSupport

/// The identity on disk, readable by the uplink alone.
struct IdentityFile: Sendable {
    let directory: String
    private var path: String { directory + "/identity.json" }

    init(directory: String) {
        self.directory = directory
    }

    /// nil where there is none. A file that cannot be understood is kept aside as `identity.json.damaged`.
    func load() throws(SystemCallError) -> Identity? {
        guard let bytes = try FileSystem.read(path, limit: 1 << 16) else { return nil }
        if let json = try? JSONValue(parsing: bytes), let identity = Identity(json: json) { return identity }
        try FileSystem.rename(path, path + ".damaged")
        return nil
    }

    /// May block: on a worker.
    func save(_ identity: Identity) throws(SystemCallError) {
        try FileSystem.write(identity.json.encoded() + [UInt8(ascii: "\n")], to: path + ".new", mode: 0o600)
        try FileSystem.rename(path + ".new", path)
        try FileSystem.synchronize(directory: directory)
    }
}
