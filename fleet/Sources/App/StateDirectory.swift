import Foundation
import NATSKeys

/// The directory with the registry and the keys. What is in it is readable by its owner only.
struct StateDirectory: Sendable {
    struct StateError: Error, CustomStringConvertible {
        var description: String
    }

    /// The keys that the bus trusts. With the operator key one can make any account, with the account key read every
    /// command, and with the signing key make credentials of devices.
    struct Keys: Sendable {
        var operatorKey: NKey
        var systemAccount: NKey
        var account: NKey
        var signing: NKey
    }

    let path: String

    private static let names = ["operator", "system", "account", "signing"]

    private func keyPath(_ name: String) -> String { "\(path)/keys/\(name).seed" }

    var isInitialized: Bool { Self.names.allSatisfy { FileManager.default.fileExists(atPath: keyPath($0)) } }

    /// Makes the directory and the keys; what is there stays as it is.
    func initialize() throws {
        umask(0o077)
        for directory in [path, "\(path)/keys", "\(path)/bus"] {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        }
        for name in Self.names where !FileManager.default.fileExists(atPath: keyPath(name)) {
            let key = NKey.generate(name == "operator" ? .operatorKey : .account)
            try Self.write(Data((key.seed + "\n").utf8), to: keyPath(name))
        }
    }

    func keys() throws -> Keys {
        func key(_ name: String) throws -> NKey {
            let path = keyPath(name)
            guard let data = FileManager.default.contents(atPath: path) else {
                throw StateError(description: "\(path) cannot be read; supervisor-fleet init makes the keys")
            }
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0o777
            guard mode & 0o077 == 0 else {
                throw StateError(description: "\(path) is accessible to others; chmod 600 corrects that")
            }
            let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            do { return try NKey(seed: text) } catch {
                throw StateError(description: "\(path): \(error.message)")
            }
        }
        return Keys(
            operatorKey: try key("operator"),
            systemAccount: try key("system"),
            account: try key("account"),
            signing: try key("signing")
        )
    }

    /// Writes a file of mode 0600 and flushes it to the disk; what is there is replaced at once.
    static func write(_ data: Data, to path: String) throws {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StateError(description: "\(temporary): \(String(cString: strerror(errno)))")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try file.write(contentsOf: data)
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw StateError(description: "\(path): \(String(cString: strerror(errno)))")
        }
    }
}
