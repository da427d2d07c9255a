import LinuxSupport
import SupervisorPluginAPI

/// redsocks.conf and the no-proxy list, changed together: either both are new and confirmed, or both are as they were.
///
/// A change goes `prepare`, `begin`, `swap`, then, once redsocks runs with it, `commit`; or else `restore` and, once redsocks
/// runs with the former files, `forget`. Each step is one that a process may die after, or in the middle of. Beside the two
/// files there may be, each with a dot before the file's name and one of these endings:
///
/// - `.candidate`: new content that is not in effect. A process that finds it ignores and removes it.
/// - `.former`: what was there before the change.
/// - `.unconfirmed` (beside redsocks.conf alone): the note that a change has begun, and which files there were before.
///   It is written after the former files are saved and before the first is replaced, and removed when the change is
///   confirmed. A process that finds it restores the former files: the new ones were never reported to be in effect.
///
/// When the proxy is cleared, sections that somebody else wrote into redsocks.conf are kept in a file with the ending `.kept`,
/// which the next proxy takes up. It says nothing by itself, so nothing rolls it back.
///
/// The former files are renamed back, so that their owner, mode and bytes are as they were; a note that says that there was
/// a file, without a `.former` of it, is of a restore that has been through.
struct ProxyFiles: ~Copyable {
    /// What the two files hold; nil is no file.
    struct Content: Hashable {
        var configuration: [UInt8]?
        var noProxy: [UInt8]?
        /// With no configuration: what is to be kept of the former one until there is one again.
        var kept: [UInt8]?
    }

    /// What the note says.
    private struct Note {
        var hadConfiguration: Bool
        var hadNoProxy: Bool
        /// Whether the former files are back, and only the restart has not been confirmed.
        var isRestored: Bool

        init(hadConfiguration: Bool, hadNoProxy: Bool, isRestored: Bool = false) {
            self.hadConfiguration = hadConfiguration
            self.hadNoProxy = hadNoProxy
            self.isRestored = isRestored
        }

        /// A note that cannot be read counts for "there were both": nothing is removed that was not put there by us.
        init(parsing bytes: [UInt8]) {
            let words = bytes.split(whereSeparator: { $0 == 0x20 || $0 == 0x0A })
            hadConfiguration = !words.contains { $0.elementsEqual("no-configuration".utf8) }
            hadNoProxy = !words.contains { $0.elementsEqual("no-list".utf8) }
            isRestored = words.contains { $0.elementsEqual("restored".utf8) }
        }

        var encoded: [UInt8] {
            let words = [
                hadConfiguration ? "configuration" : "no-configuration", hadNoProxy ? "list" : "no-list",
                isRestored ? "restored" : "begun",
            ]
            return Array((words.joined(separator: " ") + "\n").utf8)
        }
    }

    private let configurations: ReplacedFiles
    private let lists: ReplacedFiles
    private let names: ProxyFileNames

    private init(_ names: ProxyFileNames, _ configurations: consuming ReplacedFiles, _ lists: consuming ReplacedFiles) {
        self.names = names
        self.configurations = configurations
        self.lists = lists
    }

    /// nil where `creates` is false and there is no directory of redsocks.conf, so no proxy either.
    static func open(_ names: ProxyFileNames, creates: Bool) throws(SystemCallError) -> ProxyFiles? {
        guard let configurations = try ReplacedFiles.open(names.configuration.folder, names.group, creates: creates),
            // A list in another directory has nothing to say without a configuration, so that one may be made for it.
            let lists = try ReplacedFiles.open(names.noProxy.folder, names.group, creates: true)
        else { return nil }
        return ProxyFiles(names, configurations, lists)
    }

    /// What was kept of a redsocks.conf that is gone.
    func kept() throws(SystemCallError) -> [UInt8]? { try configurations.read(names.configuration.kept) }

    func forgetKept() { try? configurations.remove(names.configuration.kept) }

    func tryLock() throws(SystemCallError) -> Bool { try configurations.tryLock() }

    func current() throws(SystemCallError) -> Content {
        Content(
            configuration: try configurations.read(names.configuration.name),
            noProxy: try lists.read(names.noProxy.name)
        )
    }

    // MARK: The change

    /// Writes the new content beside the files, and returns the path of the new redsocks.conf where there is one.
    func prepare(_ content: Content) throws(SystemCallError) -> String? {
        do throws(SystemCallError) {
            if let bytes = content.configuration {
                try configurations.write(bytes, as: names.configuration.candidate)
            }
            if let bytes = content.kept { try configurations.write(bytes, as: names.configuration.kept) }
            if let bytes = content.noProxy { try lists.write(bytes, as: names.noProxy.candidate) }
        } catch {
            discard()
            throw error
        }
        return content.configuration == nil ? nil : configurations.path(of: names.configuration.candidate)
    }

    /// Removes what is no longer needed: candidates, and former files without a note.
    func discard() {
        try? configurations.remove(names.configuration.candidate)
        try? configurations.remove(names.noteCandidate)
        try? lists.remove(names.noProxy.candidate)
        guard !isUnconfirmed else { return }
        try? configurations.remove(names.configuration.former)
        try? lists.remove(names.noProxy.former)
    }

    /// Keeps the former files and notes that the change begins. Nothing has changed when it throws.
    func begin() throws(SystemCallError) {
        try configurations.keep(names.configuration.name, as: names.configuration.former)
        try lists.keep(names.noProxy.name, as: names.noProxy.former)
        try lists.sync()
        try configurations.sync()
        try write(
            Note(
                hadConfiguration: configurations.exists(names.configuration.former),
                hadNoProxy: lists.exists(names.noProxy.former)
            )
        )
    }

    /// Puts what was prepared in place.
    func swap(_ content: Content) throws(SystemCallError) {
        try Self.place(content.noProxy != nil, names.noProxy, in: lists)
        try Self.place(content.configuration != nil, names.configuration, in: configurations)
        try lists.sync()
        try configurations.sync()
    }

    private static func place(
        _ isThere: Bool,
        _ name: ProxyFileNames.Name,
        in files: borrowing ReplacedFiles
    ) throws(SystemCallError) {
        if isThere {
            try files.rename(name.candidate, to: name.name)
        } else {
            try files.remove(name.name)
        }
    }

    /// The change is in effect. If the process dies before this, its change is rolled back.
    func commit() throws(SystemCallError) {
        try configurations.remove(names.note)
        try configurations.sync()
        discard()
    }

    // MARK: The way back

    /// Whether a change has begun that was neither confirmed nor taken back.
    var isUnconfirmed: Bool { configurations.exists(names.note) }

    /// Puts the former files in place. Throws nothing that a second attempt could not mend.
    func restore() throws(SystemCallError) {
        var note = Note(parsing: try configurations.read(names.note) ?? [])
        guard !note.isRestored else { return }
        try Self.putBack(note.hadNoProxy, names.noProxy, in: lists)
        try Self.putBack(note.hadConfiguration, names.configuration, in: configurations)
        try lists.sync()
        try configurations.sync()
        discard()
        note.isRestored = true
        // On a full disk the note stays as it was, which does no harm: restoring twice changes nothing.
        try? write(note)
    }

    private static func putBack(
        _ wasThere: Bool,
        _ name: ProxyFileNames.Name,
        in files: borrowing ReplacedFiles
    ) throws(SystemCallError) {
        guard wasThere else { return try files.remove(name.name) }
        if files.exists(name.former) { try files.rename(name.former, to: name.name) }
    }

    /// redsocks runs with what was restored.
    func forget() throws(SystemCallError) { try commit() }

    private func write(_ note: Note) throws(SystemCallError) {
        try configurations.write(note.encoded, as: names.noteCandidate)
        try configurations.rename(names.noteCandidate, to: names.note)
        try configurations.sync()
    }
}
