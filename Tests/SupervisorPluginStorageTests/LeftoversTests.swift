import Glibc
import SupervisorPluginAPI
import TestSupport
import Testing

@testable import supervisor_plugin_storage

struct LeftoversTests {
    private let files = TemporaryDirectory()

    private var leftovers: Leftovers {
        Leftovers(dataDirectory: files["data"], lockDirectory: files["locks"])
    }

    private func reap() -> Result<Int64, PluginError> { leftovers.reap { false } }

    @Test(arguments: [
        "data/.purge-1", "data/.purge-0123456789abcdef", "data/.stale-1", "data/7/.stale-0123456789abcdef",
        "locks/.stale-1", "locks/7/.stale-1",
    ])
    func `what the core leaves is removed`(name: String) {
        files.directory("data")
        files.directory("locks")
        files.file(name + "/inner/file")
        #expect(reap() == .success(3))
        #expect(!files.exists(name))
    }

    @Test(arguments: [
        // Names that are like the core's, in places where it leaves none.
        "data/purge-1", "data/.purge", "data/.purge1", "data/.stale", "data/7/.purge-1", "data/7/.stale-1",
        "data/7/.stale-0123456789ABCDEF", "data/7/.stale-0123456789abcdef0", "data/7/x/.stale-0123456789abcdef",
        "data/seven/.stale-0123456789abcdef", "data/-7/.stale-0123456789abcdef",
        "locks/.purge-1", "locks/7/.purge-1", "locks/7/service/.stale-1", "locks/seven/.stale-1", "other/.purge-1",
        ".purge-1", ".stale-1",
    ])
    func `nothing else is touched`(name: String) {
        files.directory("data")
        files.directory("locks")
        files.file(name + "/inner/file")
        #expect(reap() == .success(0))
        #expect(files.exists(name + "/inner/file"))
    }

    @Test func `an application's own file that is named like a lock of ours stays`() {
        files.file("data/7/.stale-0123456789abcdef")
        #expect(reap() == .success(0))
        #expect(files.exists("data/7/.stale-0123456789abcdef"))
    }

    @Test func `links in the places of our directories are not followed`() {
        files.file("outside/.stale-0123456789abcdef/file")
        files.file("outside/.purge-1/file")
        files.directory("data")
        files.directory("locks")
        symlink(files["outside"], files["data/7"])
        symlink(files["outside"], files["locks/7"])
        symlink(files["outside"], files["data/.purge-2"])
        symlink(files["outside/.purge-1/file"], files["locks/.stale-2"])
        #expect(reap() == .success(2))
        #expect(files.names("outside") == [".purge-1", ".stale-0123456789abcdef"])
        #expect(files.exists("outside/.purge-1/file"))
        #expect(files.names("data") == ["7"])
    }

    @Test func `a data directory that is a link is refused, and the locks are reaped all the same`() {
        files.file("outside/.purge-1/file")
        symlink(files["outside"], files["data"])
        files.directory("locks/.stale-1")
        #expect(throws: PluginError.self) { try reap().get() }
        if case .failure(let error) = reap() {
            #expect(error.reason == .failed)
            #expect(error.message.hasPrefix(files["data"] + " is not a directory"))
        }
        #expect(files.exists("outside/.purge-1/file"))
        #expect(!files.exists("locks/.stale-1"))
    }

    @Test func `directories that are not there yet hold nothing`() {
        #expect(reap() == .success(0))
    }

    @Test func `what is cancelled half way is finished by the next call`() throws {
        for number in 0..<100 { files.file("data/.purge-1/\(number / 10)/\(number)") }
        var rest = 40
        let first = withoutActuallyEscaping({ () -> Bool in
            rest -= 1
            return rest < 0
        }) { leftovers.reap(isCancelled: $0) }
        #expect(throws: PluginError(code: .cancelled, "cancelled")) { try first.get() }
        #expect(files.exists("data/.purge-1"))
        let removed = try reap().get()
        #expect(removed > 50 && removed < 111)
        #expect(files.names("data") == [])
    }
}
