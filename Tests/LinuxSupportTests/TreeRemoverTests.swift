import Glibc
import TestSupport
import Testing

@testable import LinuxSupport

struct TreeRemoverTests {
    private let files = TemporaryDirectory()

    private func remove(_ name: String, isCancelled: @escaping () -> Bool = { false }) throws -> TreeRemover {
        var remover = TreeRemover(isCancelled: isCancelled)
        try remover.remove(FileName(name), in: try OpenDirectory(path: files.path), files.path)
        return remover
    }

    /// A chain of directories, made with short paths only.
    private func makeDeep(_ name: String, _ depth: Int) throws {
        var descriptor = open(files.directory(name), O_RDONLY | O_DIRECTORY)
        for _ in 1..<depth {
            try #require(mkdirat(descriptor, "d", 0o755) == 0)
            let next = openat(descriptor, "d", O_RDONLY | O_DIRECTORY)
            close(descriptor)
            descriptor = next
        }
        close(openat(descriptor, "file", O_WRONLY | O_CREAT, 0o600))
        close(descriptor)
    }

    @Test(arguments: [1, 2, TreeRemover.levels - 1, TreeRemover.levels, TreeRemover.levels + 1, 1000, 10_000])
    func `a tree of any depth goes`(depth: Int) throws {
        try makeDeep("top", depth)
        let remover = try remove("top")
        #expect(remover.removed == Int64(depth + 1))
        #expect(remover.kept == 0)
        #expect(!files.exists("top"))
    }

    @Test func `a deep tree takes no more descriptors than levels`() throws {
        try makeDeep("top", 3000)
        var highest: Int32 = 0
        _ = try remove("top") {
            let next = dup(0)
            highest = max(highest, next)
            close(next)
            return false
        }
        // Other tests have descriptors, too: what matters is that depth does not count.
        #expect(highest < 1000)
    }

    @Test func `a wide directory goes in one run`() throws {
        files.directory("top")
        for number in 0..<20_000 { files.file("top/\(number)") }
        let remover = try remove("top")
        #expect(remover.removed == 20_001)
        #expect(!files.exists("top"))
    }

    @Test func `what is not there is no obstacle`() throws {
        let remover = try remove("nothing")
        #expect(remover.removed == 0)
        #expect(remover.kept == 0)
    }

    @Test func `links, fifos and names that are not UTF-8 go, and links are not followed`() throws {
        files.file("outside/file")
        files.directory("top/a")
        symlink(files["outside"], files["top/link"])
        symlink("../../outside", files["top/a/link"])
        symlink(files["outside/file"], files["top/file"])
        symlink("nowhere", files["top/dangling"])
        link(files["outside/file"], files["top/hard"])
        mkfifo(files["top/fifo"], 0o600)
        let name: [CChar] = files["top/pr"].utf8CString.dropLast() + [CChar(bitPattern: 0xFC), 0]
        try #require(mkdir(name, 0o755) == 0)
        let remover = try remove("top")
        #expect(remover.removed == 9)
        #expect(!files.exists("top"))
        #expect(files.exists("outside/file"))
    }

    @Test func `directories that nobody may read or write go`() throws {
        files.file("top/closed/inner/file")
        chmod(files["top/closed/inner"], 0)
        chmod(files["top/closed"], 0)
        chmod(files["top"], 0o555)
        #expect(try remove("top").kept == 0)
        #expect(!files.exists("top"))
    }

    @Test func `a tree that gets another name is left alone from then on`() throws {
        for number in 0..<50 { files.file("top/\(number)") }
        var asked = 0
        let remover = try remove("top") {
            asked += 1
            if asked == 20 { rename(files["top"], files["7"]) }
            return false
        }
        #expect(remover.hasLostTree)
        #expect(files.names("7").count > 25)
    }

    @Test func `a directory that becomes a link under way leads nowhere else`() throws {
        for number in 0..<20 { files.file("top/a/b/\(number)") }
        files.file("outside/b/canary")
        var asked = 0
        let remover = try remove("top") {
            asked += 1
            if asked == 5 {
                rename(files["top/a"], files["top/moved"])
                symlink(files["outside"], files["top/a"])
            }
            return false
        }
        #expect(files.names("outside/b") == ["canary"])
        #expect(!files.exists("top"))
        #expect(remover.kept == 0)
    }

    @Test func `what comes while it is removed goes as well`() throws {
        files.directory("top/a")
        var number = 0
        let remover = try remove("top") {
            number += 1
            if number < 500 { close(open(files["top/a/\(number)"], O_WRONLY | O_CREAT, 0o600)) }
            return number > 100_000
        }
        #expect(remover.kept == 0)
        #expect(!files.exists("top"))
    }
}
