import Glibc
import SupervisorPluginAPI

/// Where the two files are, and what stands beside them while they change.
struct ProxyFileNames: Sendable, Hashable {
    struct Name: Sendable, Hashable {
        /// Absolute.
        let folder: String
        let name: String

        /// nil for a text that is not the absolute path of a file.
        init?(_ path: String) {
            guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(0),
                let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
            else { return nil }
            let name = String(path[path.utf8.index(after: slash)...])
            guard !["", ".", ".."].contains(name) else { return nil }
            self.name = name
            folder = slash == path.utf8.startIndex ? "/" : String(path[..<slash])
        }

        var path: String { "\(folder)/\(name)" }
        var candidate: String { ".\(name).candidate" }
        var former: String { ".\(name).former" }
        var kept: String { ".\(name).kept" }
    }

    let configuration: Name
    let noProxy: Name
    /// Who may read the files beside their owner, if this process may give them to it.
    let group: gid_t?

    var note: String { ".\(configuration.name).unconfirmed" }
    var noteCandidate: String { ".\(configuration.name).unconfirmed.candidate" }
}
