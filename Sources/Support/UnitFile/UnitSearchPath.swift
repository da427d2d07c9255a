import Glibc

/// The directories that are searched for a file of a given name, the one with the highest priority first.
///
/// The rules are those of systemd.unit(5): the first directory that has the file decides; drop-ins `NAME.d/*.conf` of
/// all directories are merged in the order of their names, and if two have the same name, the one from the earlier
/// directory wins. A link to /dev/null or an empty file masks files of the same name in later directories.
public struct UnitSearchPath: Sendable, Hashable {
    public var directories: [String]

    public init(_ directories: [String]) {
        self.directories = directories
    }

    /// The result of a search.
    public enum Unit: Sendable, Hashable {
        case absent
        /// The path of the mask.
        case masked(String)
        /// The path of the main file, and its contents with the drop-ins' after them.
        case loaded(String, UnitFile)
    }

    /// Loads a unit. Without a main file there is none, whatever drop-ins there are.
    public func unit(named name: String) throws(UnitFileError) -> Unit {
        switch try mainFile(named: name) {
        case (_, .absent): return .absent
        case (let path, .mask): return .masked(path)
        case (let path, .bytes(let bytes)):
            var contents = try UnitFile(parsing: bytes, file: path)
            try appendDropIns(named: name, to: &contents)
            return .loaded(path, contents)
        }
    }

    /// Loads a program's configuration, where drop-ins count even without a main file or with a masked one, as they do
    /// for systemd-system.conf(5).
    public func configuration(named name: String) throws(UnitFileError) -> UnitFile {
        var contents = UnitFile()
        if case (let path, .bytes(let bytes)) = try mainFile(named: name) {
            contents = try UnitFile(parsing: bytes, file: path)
        }
        try appendDropIns(named: name, to: &contents)
        return contents
    }

    /// The names of all files in the directories that end in `suffix`, sorted, each once. Hidden ones are left out.
    public func names(suffix: String) throws(UnitFileError) -> [String] {
        var names: Set<String> = []
        for directory in directories {
            for name in try Self.entries(of: directory) where name.hasSuffix(suffix) { names.insert(name) }
        }
        return names.sorted(by: Self.isBefore)
    }

    private func mainFile(named name: String) throws(UnitFileError) -> (path: String, entry: UnitFileEntry) {
        for directory in directories {
            let path = "\(directory)/\(name)"
            let entry = try UnitFileEntry.read(path)
            if case .absent = entry { continue }
            return (path, entry)
        }
        return ("", .absent)
    }

    private func appendDropIns(named name: String, to contents: inout UnitFile) throws(UnitFileError) {
        let dropIns = UnitSearchPath(directories.map { "\($0)/\(name).d" })
        for name in try dropIns.names(suffix: ".conf") {
            guard case (let path, .bytes(let bytes)) = try dropIns.mainFile(named: name) else { continue }
            contents.append(try UnitFile(parsing: bytes, file: path))
        }
    }

    /// By bytes, so that the order does not depend on a language or a version of Unicode.
    private static func isBefore(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    /// Empty for a directory that is not there.
    private static func entries(of directory: String) throws(UnitFileError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw UnitFileEntry.unreadable(directory, errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw UnitFileEntry.unreadable(directory, errno) }
        return names
    }
}
