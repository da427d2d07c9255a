import Glibc

@testable import supervisor_plugin_redsocks

/// A temporary directory with everything in it. Ends with the last reference.
final class Folder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/redsocks-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in entries { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// Sorted.
    var entries: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func write(_ text: String, as name: String, mode: mode_t = 0o600) {
        let file = fopen("\(path)/\(name)", "w")
        let bytes = Array(text.utf8)
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
        chmod("\(path)/\(name)", mode)
    }

    func read(_ name: String) -> String? {
        guard let file = fopen("\(path)/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

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
