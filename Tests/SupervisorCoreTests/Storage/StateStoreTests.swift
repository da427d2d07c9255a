import Glibc
import JSON
import LinuxSupport
import TestSupport
import Testing

@testable import SupervisorCore

struct StateStoreTests {
    private let files = TemporaryDirectory()
    private var store: StateStore { StateStore(directory: files["state"]) }
    private static let uuid = String(repeating: "c", count: 32)
    private static let target: JSONValue = Sample.target((2167, Sample.app("app:1")))
    private static let key = String(repeating: "0f", count: 32)

    private func load(given: String? = nil, machine: String? = nil) -> StateStore.Contents {
        store.load(givenUUID: given, machineUUID: machine)
    }

    private func path(_ name: String) -> String { files["state/\(name)"] }

    private static func isHexadecimal(_ text: String, _ count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
    }

    /// A device that has been in use.
    private func prepareUsedDevice() throws -> StateStore.Contents {
        _ = load(machine: Self.uuid)
        try store.save(key: Self.key)
        try store.save(target: Self.target)
        try store.save(target: Self.target)
        try store.save(images: .init(pulled: ["app:0"]))
        try store.save(images: .init(pulled: ["app:1", "app:0"]))
        try store.save(tcpPingIsEnabled: false)
        try store.save(tcpPingIsEnabled: true)
        return load()
    }

    @Test func `a new device gets an identity and a key, and keeps both`() {
        let first = load(machine: Self.uuid)
        #expect(first.problems == [])
        #expect(first.uuid == Self.uuid)
        #expect(Self.isHexadecimal(first.apiKey, 64))
        #expect(first.keyIsSaved)
        #expect(first.target == nil)
        #expect(first.images.pulled == [])
        #expect(first.tcpPingIsEnabled)
        let second = load(machine: String(repeating: "d", count: 32))
        #expect(second.uuid == Self.uuid)
        #expect(second.apiKey == first.apiKey)
        #expect(second.problems == [])
    }

    @Test func `a device without a machine id gets a random identity`() {
        let uuid = load().uuid
        #expect(Self.isHexadecimal(uuid, 32))
        #expect(load().uuid == uuid)
    }

    @Test func `an identity from the configuration wins and is kept`() {
        _ = load(machine: Self.uuid)
        let given = String(repeating: "e", count: 32)
        #expect(load(given: given, machine: Self.uuid).uuid == given)
        #expect(load(machine: Self.uuid).uuid == given)
    }

    @Test func `two devices have two keys`() {
        let other = TemporaryDirectory()
        #expect(load().apiKey != StateStore(directory: other.path).load(givenUUID: nil, machineUUID: nil).apiKey)
    }

    @Test func `the key's file holds the key and nothing else, and only its owner reads any of them`() throws {
        _ = try prepareUsedDevice()
        #expect(TestFile.text(path("api-key")) == Self.key)
        for name in TestFile.names(files["state"]) { #expect(TestFile.mode(path(name)) == 0o600, "\(name)") }
        #expect(TestFile.mode(files["state"]) == 0o750)
        #expect(
            TestFile.names(files["state"]) == [
                "api-key", "api-key.last", "flags.json", "flags.json.last", "identity.json", "images.json",
                "images.json.last", "target.json", "target.json.last",
            ]
        )
    }

    @Test func `a key that was put there with a newline is taken`() {
        TestFile.makeDirectories(files["state"])
        TestFile.write(Self.key + "\n", path("api-key"))
        let contents = load()
        #expect(contents.apiKey == Self.key)
        #expect(contents.problems == [])
        #expect(TestFile.text(path("api-key.last")) == Self.key)
        #expect(TestFile.mode(path("api-key")) == 0o600)
    }

    @Test func `everything that was kept comes back`() throws {
        let contents = try prepareUsedDevice()
        #expect(contents.uuid == Self.uuid)
        #expect(contents.apiKey == Self.key)
        #expect(contents.target == Self.target)
        #expect(contents.images.pulled == ["app:0", "app:1"])
        #expect(contents.problems == [])
    }

    // MARK: Keys

    @Test func `a rotated key is in both generations`() throws {
        let first = load().apiKey
        try store.save(key: Self.key)
        #expect(TestFile.text(path("api-key")) == Self.key)
        #expect(TestFile.text(path("api-key.last")) == Self.key)
        #expect(first != Self.key)
    }

    @Test(arguments: StateFileTests.Damage.allCases)
    func `a fallback after a rotation never brings a dead key back`(damage: StateFileTests.Damage) throws {
        _ = try prepareUsedDevice()
        damage.apply(to: path("api-key"))
        let contents = load()
        #expect(contents.apiKey == Self.key)
        #expect(TestFile.text(path("api-key")) == Self.key, "both generations hold it again")
        #expect(TestFile.text(path("api-key.last")) == Self.key)
    }

    @Test(arguments: StateFileTests.Damage.allCases)
    func `a damaged last generation of the key is put right`(damage: StateFileTests.Damage) throws {
        _ = try prepareUsedDevice()
        damage.apply(to: path("api-key.last"))
        let contents = load()
        #expect(contents.apiKey == Self.key)
        if damage != .directory { #expect(TestFile.text(path("api-key.last")) == Self.key) }
    }

    @Test(arguments: StateFileTests.Damage.allCases)
    func `a key lost in both generations is replaced, which is told`(damage: StateFileTests.Damage) throws {
        _ = try prepareUsedDevice()
        damage.apply(to: path("api-key"))
        damage.apply(to: path("api-key.last"))
        let contents = load()
        #expect(contents.apiKey != Self.key)
        #expect(Self.isHexadecimal(contents.apiKey, 64))
        #expect(contents.keyIsSaved)
        #expect(contents.problems.contains("the API key is lost; a new one was generated") == (damage != .missing))
        #expect(load().apiKey == contents.apiKey)
    }

    @Test(arguments: ["short", String(repeating: "g", count: 64), String(repeating: "A", count: 64), Self.key + "\n\n"])
    func `what is no key is refused`(text: String) {
        TestFile.makeDirectories(files["state"])
        TestFile.write(text, path("api-key"))
        #expect(load().problems.contains { $0.contains("api-key is damaged: it does not contain 64 hex digits") })
    }

    @Test func `no problem tells the key`() throws {
        _ = try prepareUsedDevice()
        TestFile.write(Self.key.dropLast() + "Z", path("api-key"))
        #expect(!load().problems.contains { $0.contains(Self.key.dropLast()) })
    }

    // MARK: Each file, each damage

    /// The JSON files, with how to damage them and a text that is JSON but not what belongs there.
    static let documents = ["identity.json", "target.json", "images.json", "flags.json"]

    static let flaws = [
        "", "{", "null", "[]", "{}", #"{"version":1}"#, #"{"version":"1","uuid":"x"}"#, "\u{FEFF}{}",
        #"{"version":1,"uuid":"XYZ","target":[],"pulled":{},"tcpPing":1}"#,
        #"{"version":1,"uuid":5,"target":{"apps":{"x":{}}},"pulled":null,"tcpPing":null}"#,
    ]

    @Test(arguments: documents, flaws)
    func `a damaged file falls back to its other generation and harms no other file`(name: String, flaw: String) throws
    {
        let before = try prepareUsedDevice()
        // The identity is written once; a second generation of it is there after a change.
        _ = load(given: String(repeating: "e", count: 32))
        _ = load(given: Self.uuid)
        TestFile.write(flaw, path(name))
        let contents = load(machine: String(repeating: "9", count: 32))
        #expect(contents.apiKey == before.apiKey)
        #expect(contents.target == before.target)
        #expect(contents.uuid == (name == "identity.json" ? String(repeating: "e", count: 32) : Self.uuid))
        #expect(contents.images.pulled == (name == "images.json" ? ["app:0"] : before.images.pulled))
        #expect(contents.tcpPingIsEnabled == (name != "flags.json"))
        #expect(contents.problems.count == 1)
        #expect(contents.problems.first?.hasPrefix("\(path(name)) is damaged: ") == true)
        #expect(load().problems == [], "told once")
    }

    @Test(arguments: documents)
    func `a file of a newer version is kept aside, not overwritten`(name: String) throws {
        _ = try prepareUsedDevice()
        let text = #"{"version":2,"uuid":"\#(Self.uuid)","target":{"apps":{}},"pulled":[],"tcpPing":false}"#
        TestFile.write(text, path(name))
        let contents = load(machine: Self.uuid)
        #expect(contents.uuid == Self.uuid)
        #expect(contents.problems == ["\(path(name)) was written by a newer version; kept as \(path(name)).version-2"])
        try store.save(target: Self.target)
        try store.save(images: .init(pulled: []))
        try store.save(tcpPingIsEnabled: true)
        #expect(TestFile.text(path("\(name).version-2")) == text)
    }

    @Test func `a target that fell back is in force again at the next start, and so is a good one after it`() throws {
        _ = try prepareUsedDevice()
        let newer: JSONValue = Sample.target((2167, Sample.app("app:2")))
        try store.save(target: newer)
        TestFile.write("{", path("target.json"))
        #expect(load().target == Self.target)
        #expect(load().target == Self.target)
        try store.save(target: newer)
        #expect(load().target == newer)
    }

    @Test func `with nothing left at all a start makes a new device of it, without a word of damage`() throws {
        _ = try prepareUsedDevice()
        for name in TestFile.names(files["state"]) { unlink(path(name)) }
        let contents = load(machine: Self.uuid)
        #expect(contents.uuid == Self.uuid)
        #expect(contents.target == nil)
        #expect(contents.problems == [])
    }

    // MARK: Disks

    @Test func `a directory that cannot be made or written to is told file by file, and the start goes on`() {
        TestFile.write("", files["file"])
        for directory in [files["file/state"], "/proc/self"] {
            let contents = StateStore(directory: directory).load(givenUUID: nil, machineUUID: Self.uuid)
            #expect(contents.uuid == Self.uuid)
            #expect(Self.isHexadecimal(contents.apiKey, 64))
            #expect(!contents.keyIsSaved)
            #expect(contents.problems.contains { $0.contains("\(directory)/identity.json") })
            #expect(contents.problems.contains { $0.contains("\(directory)/api-key") })
        }
    }

    @Test(.enabled(if: FullFileSystem.isPossible, "mounting takes root"))
    func `a full disk is told, what is on it comes back, and the key goes on`() throws {
        TestFile.makeDirectories(files["state"])
        let full = try FullFileSystem(at: files["state"], inodes: 4)
        defer { full.unmount() }
        let first = load(machine: Self.uuid)
        #expect(first.keyIsSaved)
        #expect(throws: SystemCallError.self) { try store.save(target: Self.target) }
        #expect(throws: SystemCallError.self) { try store.save(key: Self.key) }
        let second = load()
        #expect(second.uuid == Self.uuid)
        #expect(second.apiKey == first.apiKey)
        #expect(second.target == nil)
        #expect(second.problems == [])
    }
}
