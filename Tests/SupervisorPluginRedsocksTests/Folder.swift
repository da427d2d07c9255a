import Glibc
import TestSupport

@testable import supervisor_plugin_redsocks

/// A temporary directory with everything in it. Ends with the last reference.
final class Folder: Sendable {
    private let directory = TemporaryDirectory(in: "/tmp")

    var path: String { directory.path }

    /// Sorted.
    var entries: [String] { directory.names() }

    func write(_ text: String, as name: String, mode: mode_t = 0o600) {
        directory.write(text, to: name, mode: mode)
    }

    func read(_ name: String) -> String? { directory.text(name) }

    func mode(of name: String) -> mode_t {
        var status = stat()
        return stat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    /// With the names redsocks.conf and no_proxy.
    var names: ProxyFileNames {
        guard let configuration = ProxyFileNames.Name("\(path)/redsocks.conf"),
            let noProxy = ProxyFileNames.Name("\(path)/no_proxy")
        else { fatalError("not a path: \(path)") }
        return ProxyFileNames(configuration: configuration, noProxy: noProxy, group: nil)
    }

    struct Absent: Error {}

    /// As a process opens them; another one that is open holds the same.
    func files(_ names: ProxyFileNames? = nil) throws -> ProxyFiles {
        guard let files = try ProxyFiles.open(names ?? self.names, creates: false) else { throw Absent() }
        return files
    }
}
