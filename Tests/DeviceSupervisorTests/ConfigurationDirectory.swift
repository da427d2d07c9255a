import TestSupport
import UnitFile

@testable import device_supervisor

/// A temporary directory in place of the file system's root, removed with the last reference.
final class ConfigurationDirectory {
    private let directory = TemporaryDirectory()

    var path: String { directory.path }

    /// Writes a file at a path below the directory, making the directories that it lies in. Returns the absolute path.
    @discardableResult
    func write(_ text: String, to name: String) -> String { directory.write(text, to: name) }

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
