import CLinux
import Glibc
import LinuxSupport
import TestSupport
import Testing

@testable import SupervisorCore

struct StateFileTests {
    private let files = TemporaryDirectory()
    private var file: StateFile { StateFile(directory: files.path, name: "state", mode: 0o600) }

    /// Content is a word of letters; "v2" and the like are of a newer version.
    private static func parse(_ bytes: [UInt8]) throws(StateFile.Flaw) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        if text.hasPrefix("v") { throw .newer(2) }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x61...0x7A).contains($0) }) else { throw .damaged("no word") }
        return text
    }

    private func load() -> StateFile.Loaded<String> { file.load(Self.parse) }

    @Test func `nothing was ever written`() {
        let loaded = load()
        #expect(loaded.content == nil)
        #expect(loaded.problems == [])
        #expect(!loaded.isIntact)
    }

    @Test func `what was saved is loaded, and what was before is the last good generation`() throws {
        for word in ["one", "two", "three"] { try file.save(Array(word.utf8)) }
        #expect(load().content == "three")
        #expect(load().isIntact)
        #expect(TestFile.text(files["state.last"]) == "two")
        #expect(TestFile.names(files.path) == ["state", "state.last"], "no temporary stays")
    }

    @Test func `saving the same again leaves two generations and no temporary`() throws {
        for _ in 0..<3 { try file.save(Array("same".utf8)) }
        #expect(TestFile.names(files.path) == ["state", "state.last"])
        #expect(TestFile.text(files["state.last"]) == "same")
    }

    @Test func `both generations are replaced together`() throws {
        for word in ["one", "two"] { try file.save(Array(word.utf8)) }
        try file.saveBoth(Array("three".utf8))
        #expect(TestFile.text(files["state"]) == "three")
        #expect(TestFile.text(files["state.last"]) == "three")
        #expect(TestFile.names(files.path) == ["state", "state.last"])
        // Two files: what happens to one does not happen to the other.
        #expect(TestFile.status(files["state"])?.st_ino != TestFile.status(files["state.last"])?.st_ino)
    }

    @Test func `files have the mode that was asked for`() throws {
        try file.save(Array("one".utf8))
        try file.save(Array("two".utf8))
        #expect(TestFile.mode(files["state"]) == 0o600)
        #expect(TestFile.mode(files["state.last"]) == 0o600)
        try file.saveBoth(Array("three".utf8))
        #expect(TestFile.mode(files["state"]) == 0o600)
        #expect(TestFile.mode(files["state.last"]) == 0o600)
    }

    /// What can have become of a generation.
    enum Damage: CaseIterable, Sendable {
        case missing, emptied, truncated, garbage, newer, directory

        func apply(to path: String) {
            unlink(path)
            switch self {
            case .missing: break
            case .emptied: TestFile.write("", path)
            case .truncated: TestFile.write("on{", path)
            case .garbage: TestFile.write("\u{0}\u{FFFD}\n", path)
            case .newer: TestFile.write("v2", path)
            case .directory: TestFile.makeDirectories(path)
            }
        }
    }

    @Test(arguments: Damage.allCases)
    func `a damaged present generation falls back to the last good one`(damage: Damage) throws {
        for word in ["old", "new"] { try file.save(Array(word.utf8)) }
        damage.apply(to: files["state"])
        let loaded = load()
        #expect(loaded.content == "old")
        #expect(!loaded.isIntact)
        #expect(loaded.problems.count == (damage == .missing ? 0 : 1))
        #expect(loaded.problems.allSatisfy { $0.contains(files["state"]) })
        // The next save works, and never takes the damaged one for the last good one.
        try file.save(Array("newer".utf8))
        #expect(load().content == "newer")
        #expect(TestFile.text(files["state.last"]) == "old")
    }

    @Test(arguments: Damage.allCases)
    func `a damaged last generation does not matter while the present one is good`(damage: Damage) throws {
        for word in ["old", "new"] { try file.save(Array(word.utf8)) }
        damage.apply(to: files["state.last"])
        #expect(load().content == "new")
        #expect(load().problems == [])
    }

    @Test(arguments: Damage.allCases, Damage.allCases)
    func `with both generations damaged there is nothing, told file by file, and saving works again`(
        present: Damage,
        last: Damage
    ) throws {
        for word in ["old", "new"] { try file.save(Array(word.utf8)) }
        present.apply(to: files["state"])
        last.apply(to: files["state.last"])
        let loaded = load()
        #expect(loaded.content == nil)
        #expect(!loaded.isIntact)
        #expect(loaded.problems.count == [present, last].count { $0 != .missing })
        try file.save(Array("again".utf8))
        #expect(load().content == "again")
        #expect(load().isIntact)
    }

    @Test func `a file of a newer version is kept aside under its version`() throws {
        TestFile.write("v2 of the future", files["state"])
        _ = load()
        #expect(TestFile.text(files["state.version-2"]) == "v2 of the future")
        #expect(!TestFile.exists(files["state"]))
    }

    @Test func `a damaged file is kept aside`() throws {
        TestFile.write("?", files["state"])
        _ = load()
        #expect(TestFile.text(files["state.damaged"]) == "?")
    }

    @Test func `what a killed writer left in its temporaries is neither loaded nor in the way`() throws {
        try file.save(Array("one".utf8))
        for name in ["state.new", "state.last.new", "state.new.last"] { TestFile.write("half", files[name]) }
        #expect(load().content == "one")
        try file.save(Array("two".utf8))
        try file.saveBoth(Array("three".utf8))
        #expect(load().content == "three")
        #expect(TestFile.names(files.path) == ["state", "state.last"])
    }

    @Test func `killed between the two renames, one good generation is there`() throws {
        try file.save(Array("one".utf8))
        // As save leaves it before its last step.
        link(files["state"], files["state.last"])
        TestFile.write("two", files["state.new"])
        #expect(load().content == "one")
        unlink(files["state"])
        #expect(load().content == "one")
    }

    @Test func `a directory that cannot be written to keeps what it has, and the error names the file`() throws {
        let file = StateFile(directory: "/proc/self", name: "state", mode: 0o600)
        let error = try #require(throws: SystemCallError.self) { try file.save([0x61]) }
        #expect(error.path == "/proc/self/state.new")
        #expect(throws: SystemCallError.self) { try file.saveBoth([0x61]) }
    }

    @Test(.enabled(if: FullFileSystem.isPossible, "mounting takes root"))
    func `a full disk keeps what it has`() throws {
        TestFile.makeDirectories(files["small"])
        // The root of the file system, the two generations and one more.
        let full = try FullFileSystem(at: files["small"], inodes: 4)
        defer { full.unmount() }
        let file = StateFile(directory: files["small"], name: "state", mode: 0o600)
        for word in ["one", "two"] { try file.save(Array(word.utf8)) }
        TestFile.write("", files["small/filler"])
        let error = try #require(throws: SystemCallError.self) { try file.save(Array("three".utf8)) }
        #expect(error.code == ENOSPC)
        let other = try #require(throws: SystemCallError.self) { try file.saveBoth(Array("three".utf8)) }
        #expect(other.code == ENOSPC)
        #expect(file.load(Self.parse).content == "two")
        #expect(TestFile.text(files["small/state.last"]) == "one")
        #expect(TestFile.names(files["small"]) == ["filler", "state", "state.last"])
    }
}
