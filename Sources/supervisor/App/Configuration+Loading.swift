import Glibc
import UnitFile

extension Configuration {
    /// Where `device-supervisor.conf` and `device-supervisor.conf.d` are looked for.
    static let searchPath = UnitSearchPath([
        "/etc/device-supervisor", "/run/device-supervisor", "/usr/local/lib/device-supervisor",
        "/usr/lib/device-supervisor",
    ])

    /// Reads the configuration.
    ///
    /// `file` (of `--config`) replaces the whole search path: only it and the drop-ins in `FILE.d` are read, and it
    /// must exist. Also returns what is to be logged: unknown keys and sections.
    static func load(
        file: String? = nil,
        searchPath: UnitSearchPath = searchPath,
        defaults: ConfigurationDefaults = ConfigurationDefaults()
    ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [String]) {
        do throws(UnitFileError) {
            let contents =
                if let file { try read(only: file) } else {
                    try searchPath.configuration(named: "device-supervisor.conf")
                }
            let reader = ConfigurationReader(contents, defaults: defaults)
            return (try reader.read(), reader.warnings())
        } catch {
            throw ConfigurationError(message: error.description)
        }
    }

    private static func read(only path: String) throws(UnitFileError) -> UnitFile {
        guard access(path, F_OK) == 0 else {
            let reason = "cannot be read: \(String(cString: strerror(errno)))"
            throw UnitFileError(.unreadable, file: path, reason: reason)
        }
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        return try UnitSearchPath([directory]).configuration(named: name)
    }
}
