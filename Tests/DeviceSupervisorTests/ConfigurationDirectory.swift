import Glibc
import UnitFile

@testable import device_supervisor

/// A temporary directory in place of the file system's root, removed with the last reference.
final class ConfigurationDirectory {
    let path: String
    /// In the order in which it was made.
    private var made: [String]

    struct Failure: Error {
        var path: String
        var code: Int32
    }

    init() throws {
        var template = Array("/tmp/configuration-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(path: "/tmp", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        made = [path]
    }

    deinit {
        for path in made.reversed() { remove(path) }
    }

    /// Writes a file at a path below the directory, making the directories that it lies in. Returns the absolute path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        var path = self.path
        let parts = name.split(separator: "/")
        for part in parts.dropLast() {
            path += "/\(part)"
            if mkdir(path, 0o700) == 0 { made.append(path) }
        }
        path += "/\(parts.last ?? "")"
        guard let file = fopen(path, "w") else { throw Failure(path: path, code: errno) }
        if !made.contains(path) { made.append(path) }
        let written = fputs(text, file)
        guard fclose(file) == 0, written >= 0 else { throw Failure(path: path, code: errno) }
        return path
    }

    var searchPath: UnitSearchPath { UnitSearchPath(["etc", "run", "local", "usr"].map { "\(path)/\($0)" }) }

    var defaults: ConfigurationDefaults {
        ConfigurationDefaults(
            engineSockets: ["docker", "balena", "podman"].map { "\(path)/\($0).sock" },
            deviceTypeFile: "\(path)/etc/device-type"
        )
    }

    func load(file: String? = nil) throws(ConfigurationError) -> (configuration: Configuration, warnings: [String]) {
        try Configuration.load(file: file, searchPath: searchPath, defaults: defaults)
    }
}
