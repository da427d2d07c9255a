import Glibc
import LinuxSupport
import TestSupport
import Testing

@testable import SupervisorCore

struct ReaperTests {
    private let files = TemporaryDirectory()

    /// Removes with slices of `limit` entries. Returns how many it took.
    private func reap(_ path: String, limit: Int, atMost: Int = 10_000) -> (slices: Int, obstacle: SystemCallError?) {
        for slice in 1...atMost {
            var reaper = Reaper(limit: limit)
            reaper.remove(path)
            #expect(reaper.removed <= limit)
            if !reaper.isExhausted { return (slice, reaper.obstacle) }
        }
        return (atMost + 1, nil)
    }

    @Test func `a file, a link, a fifo and an empty directory are removed`() {
        for kind in [UpdateLockFilesTests.Kind.file, .danglingLink, .fifo, .socket, .emptyDirectory, .directory] {
            kind.make(files["x"])
            var reaper = Reaper(limit: 10)
            reaper.remove(files["x"])
            #expect(!TestFile.exists(files["x"]))
            #expect(reaper.obstacle == nil)
        }
    }

    @Test func `what is not there is no obstacle`() {
        var reaper = Reaper(limit: 10)
        reaper.remove(files["nothing"])
        #expect(reaper.removed == 0)
        #expect(reaper.obstacle == nil)
    }

    @Test func `a deep tree is removed`() {
        TestFile.makeDirectories(files["top" + String(repeating: "/d", count: 400)])
        let result = reap(files["top"], limit: 1000)
        #expect(result.slices == 1)
        #expect(result.obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
    }

    @Test(arguments: [1, 7, 100, 10_000])
    func `a tree of any depth is removed, slice by slice`(limit: Int) {
        TestFile.makeDirectories(files["top" + String(repeating: "/d", count: 1000)])
        let result = reap(files["top"], limit: limit)
        #expect(result.obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
    }

    @Test(arguments: [1, 2, 7, 100, 1000])
    func `a wide tree goes slice by slice, each of which gets on`(limit: Int) {
        for directory in 0..<10 {
            TestFile.makeDirectories(files["top/\(directory)"])
            for file in 0..<30 { TestFile.write("", files["top/\(directory)/\(file)"]) }
        }
        let entries = 1 + 10 + 300
        let result = reap(files["top"], limit: limit)
        #expect(result.slices == entries / limit + 1)
        #expect(result.obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
    }

    @Test func `links out of the tree are removed and not followed`() {
        TestFile.makeDirectories(files["outside/inner"])
        TestFile.write("precious", files["outside/inner/file"])
        TestFile.makeDirectories(files["top/a"])
        symlink(files["outside"], files["top/link"])
        symlink("../../outside/inner", files["top/a/link"])
        symlink(files["outside/inner/file"], files["top/file"])
        link(files["outside/inner/file"], files["top/hard"])
        #expect(reap(files["top"], limit: 100).obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
        #expect(TestFile.text(files["outside/inner/file"]) == "precious")
    }

    @Test func `a link in the place of the tree is removed and not followed`() {
        TestFile.makeDirectories(files["outside"])
        TestFile.write("precious", files["outside/file"])
        symlink(files["outside"], files["top"])
        #expect(reap(files["top"], limit: 100).obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
        #expect(TestFile.text(files["outside/file"]) == "precious")
    }

    @Test func `a directory that an application closed to everybody is opened and removed`() {
        TestFile.makeDirectories(files["top/closed/inner"])
        TestFile.write("", files["top/closed/inner/file"])
        chmod(files["top/closed/inner"], 0)
        chmod(files["top/closed"], 0)
        #expect(reap(files["top"], limit: 100).obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
    }

    @Test func `names that are not UTF-8 are removed as well`() throws {
        TestFile.makeDirectories(files["top"])
        // "prüfung" as Latin-1 has it.
        let name: [CChar] = Array((files["top"] + "/pr").utf8CString.dropLast()) + [CChar(bitPattern: 0xFC), 0x66, 0]
        try #require(mkdir(name, 0o755) == 0)
        try #require(mknod(name.dropLast() + [0x2F, CChar(bitPattern: 0xFF), 0], S_IFREG | 0o600, 0) == 0)
        #expect(reap(files["top"], limit: 100).obstacle == nil)
        #expect(!TestFile.exists(files["top"]))
    }

    @Test(.enabled(if: FullFileSystem.isPossible, "mounting takes root"))
    func `another file system in the tree is not entered`() throws {
        TestFile.makeDirectories(files["top/mounted"])
        TestFile.write("", files["top/file"])
        let other = try FullFileSystem(at: files["top/mounted"], inodes: 10)
        defer { other.unmount() }
        TestFile.write("precious", files["top/mounted/file"])
        let result = reap(files["top"], limit: 100)
        #expect(result.obstacle?.path == files["top/mounted"])
        #expect(TestFile.text(files["top/mounted/file"]) == "precious")
        #expect(!TestFile.exists(files["top/file"]))
    }
}
