import CLinux
import Glibc
import JSON
import LinuxSupport

/// Credentials for registries, as the operator has put them into the state directory: `registries.json` in the form of
/// docker's own config.json, `{"auths":{"HOST[:PORT]":{"auth":"…"}}}`, where `auth` is USER:PASSWORD in Base64, or
/// `username` and `password` stand in its place.
///
/// Read again for each download, so that a change counts at once. Everything here may block. No message ever has anything
/// of the file's contents.
struct RegistryCredentialsFile: Sendable {
    let path: String

    /// In the state directory.
    init(directory: String) {
        path = directory + "/registries.json"
    }

    /// Why the file is not used. One line that names the file.
    struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
        var description: String
    }

    private static let limit = 1 << 20

    /// The credentials for the registry of `image`; nil where there is no file, or nothing in it for that registry.
    ///
    /// Throws where the file is readable or writable by others, belongs to another user, or is damaged.
    func credentials(for image: String) throws(Problem) -> RegistryCredentials? {
        guard let bytes = try read() else { return nil }
        let document: JSONValue
        do throws(JSONParseError) {
            document = try JSONValue(parsingFile: bytes, limits: .init(size: Self.limit))
        } catch {
            throw problem("is damaged: \(error)")
        }
        guard let entries = document["auths"]?.objectValue else { throw problem("has no object \"auths\"") }
        let registry = RegistryHost(image: image)
        guard let entry = Self.entry(of: registry, in: entries) else { return nil }
        return try credentials(registry, entry)
    }

    /// A key that is just the registry's name comes before one with a scheme or a path.
    private static func entry(of registry: RegistryHost, in entries: JSONObject) -> JSONValue? {
        let matching = entries.filter { RegistryHost(key: $0.name) == registry }
        return (matching.first { $0.name.isExactly(registry.name) } ?? matching.first)?.value
    }

    private func credentials(_ registry: RegistryHost, _ entry: JSONValue) throws(Problem) -> RegistryCredentials {
        let (username, password): (String, String)
        if let auth = entry["auth"]?.stringValue, !auth.isEmpty {
            guard let bytes = Base64.decode(auth), let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
                let first = String(validating: bytes[..<colon], as: UTF8.self),
                let second = String(validating: bytes[(colon + 1)...], as: UTF8.self)
            else {
                throw problem("has for the registry \(registry) an \"auth\" that is not USER:PASSWORD in Base64")
            }
            (username, password) = (first, second)
        } else if let first = entry["username"]?.stringValue, let second = entry["password"]?.stringValue {
            (username, password) = (first, second)
        } else {
            throw problem(
                "has for the registry \(registry) neither \"auth\" nor \"username\" and \"password\"; "
                    + "tokens and credential helpers are not supported"
            )
        }
        guard !username.isEmpty else { throw problem("has an empty user name for the registry \(registry)") }
        return RegistryCredentials(registry: registry.name, username: username, password: password)
    }

    private func problem(_ text: String) -> Problem {
        Problem(description: "\(path) \(text)")
    }

    // MARK: The file

    /// nil where there is none. What is checked is what is read: one descriptor for both.
    private func read() throws(Problem) -> [UInt8]? {
        let descriptor = clinux_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            let hint = errno == EACCES ? "; it must belong to the user of the supervisor" : ""
            throw problem("cannot be opened: \(String(cString: strerror(errno)))\(hint)")
        }
        defer { close(descriptor) }
        try check(descriptor)
        do throws(SystemCallError) {
            return try Descriptor.readAll(descriptor, path, limit: Self.limit)
        } catch {
            if error.code == EFBIG { throw problem("is longer than \(Self.limit) bytes") }
            throw problem("cannot be read: \(error.reason)")
        }
    }

    private func check(_ descriptor: Int32) throws(Problem) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw problem("cannot be examined: \(String(cString: strerror(errno)))")
        }
        guard status.isRegular else { throw problem("is not a regular file") }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw problem("belongs to user \(status.st_uid), not to root or the user of the supervisor")
        }
        guard status.permissions & 0o077 == 0 else {
            let mode = String(status.permissions, radix: 8)
            throw problem("may be read or written by others (mode 0\(mode)); its mode must be 0600")
        }
    }
}
