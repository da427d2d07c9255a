import CLinux
import Glibc
import LinuxSupport
import TestSupport
import Testing

@testable import SupervisorCore

struct AppDirectoriesTests {
    private let files = TemporaryDirectory()
    private let directories: AppDirectories
    private static let key = ServiceKey(app: AppID(1), service: "main")

    init() throws {
        directories = AppDirectories(dataDirectory: files["data"], lockDirectory: files["locks"])
        try directories.prepare()
    }

    private func inode(_ path: String) -> ino_t? { TestFile.status(files[path])?.st_ino }

    @Test func `the directories above are made with everything that is missing`() throws {
        let deep = AppDirectories(dataDirectory: files["x/y/data"], lockDirectory: files["x/z/locks"])
        try deep.prepare()
        try deep.prepare()
        #expect(TestFile.mode(files["x/y/data"]) == 0o755)
        #expect(TestFile.mode(files["x/z/locks"]) == 0o755)
    }

    // The only test here that is about the process's umask; the others pass whatever it is.
    @Test(.serialized, arguments: [0o000, 0o022, 0o077] as [mode_t])
    func `modes do not depend on the umask`(mask: mode_t) throws {
        let before = umask(mask)
        defer { umask(before) }
        try directories.ensure(Self.key)
        #expect(TestFile.mode(files["data/1"]) == 0o777)
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(TestFile.mode(files["locks/1"]) == 0o755)
    }

    @Test func `ensuring keeps what is there and corrects the mode of the lock directory`() throws {
        try directories.ensure(Self.key)
        TestFile.write("", files["locks/1/main/updates.lock"])
        TestFile.write("", files["data/1/file"])
        chmod(files["locks/1/main"], 0o700)
        chmod(files["data/1"], 0o750)
        try directories.ensure(Self.key)
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(TestFile.names(files["locks/1/main"]) == ["updates.lock"])
        #expect(TestFile.mode(files["data/1"]) == 0o750, "an application's /data is its own affair")
        #expect(TestFile.names(files["data/1"]) == ["file"])
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives a directory to somebody else"))
    func `an empty lock directory of somebody else is replaced by one of ours, one with a lock is not`() throws {
        try directories.ensure(Self.key)
        TestFile.write("", files["locks/1/main/updates.lock"])
        chown(files["locks/1/main"], 65534, 65534)
        try directories.ensure(Self.key)
        #expect(TestFile.status(files["locks/1/main"])?.st_uid == 65534)
        #expect(TestFile.names(files["locks/1/main"]) == ["updates.lock"])
        unlink(files["locks/1/main/updates.lock"])
        try directories.ensure(Self.key)
        #expect(TestFile.status(files["locks/1/main"])?.st_uid == geteuid())
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(TestFile.names(files["locks/1/main"]) == [])
        #expect(directories.leftovers().count == 1)
    }

    @Test func `a file in the place of a lock directory is renamed away`() throws {
        TestFile.makeDirectories(files["locks/1"])
        TestFile.write("", files["locks/1/main"])
        try directories.ensure(Self.key)
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(directories.leftovers().count == 1)
    }

    @Test func `a swap leaves a new, empty directory and the old one to be reaped`() throws {
        try directories.ensure(Self.key)
        TestFile.write("", files["locks/1/main/updates.lock"])
        chmod(files["locks/1/main"], 0o000)
        let before = inode("locks/1/main")
        try directories.swapLocks(of: Self.key)
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(TestFile.names(files["locks/1/main"]) == [])
        #expect(inode("locks/1/main") != before)
        let leftovers = directories.leftovers()
        #expect(leftovers.count == 1)
        #expect(leftovers.first?.hasPrefix(files["locks/1/.stale-"]) == true)
    }

    @Test func `a swap makes a directory that is missing`() throws {
        try directories.swapLocks(of: Self.key)
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(directories.leftovers() == [])
    }

    @Test func `before a start an untouched lock directory is kept`() throws {
        try directories.ensure(Self.key)
        let before = inode("locks/1/main")
        try directories.prepareForStart(of: Self.key, othersRun: false)
        #expect(inode("locks/1/main") == before)
        #expect(directories.leftovers() == [])
    }

    @Test(arguments: ["a lock", "another mode", "missing"])
    func `before a start every lock goes`(why: String) throws {
        try directories.ensure(Self.key)
        TestFile.write("", files["data/1/resin-updates.lock"])
        switch why {
        case "a lock": TestFile.write("", files["locks/1/main/updates.lock"])
        case "another mode": chmod(files["locks/1/main"], 0o755)
        default: rmdir(files["locks/1/main"])
        }
        try directories.prepareForStart(of: Self.key, othersRun: false)
        #expect(TestFile.names(files["locks/1/main"]) == [])
        #expect(TestFile.mode(files["locks/1/main"]) == 0o1777)
        #expect(TestFile.names(files["data/1"]) == [])
    }

    @Test func `the lock in data stays while others of the application run`() throws {
        try directories.ensure(Self.key)
        TestFile.write("", files["data/1/resin-updates.lock"])
        try directories.prepareForStart(of: Self.key, othersRun: true)
        #expect(TestFile.names(files["data/1"]) == ["resin-updates.lock"])
    }

    @Test(arguments: UpdateLockFilesTests.Kind.allCases)
    func `a lock in data goes, whatever it is, and nothing else does`(kind: UpdateLockFilesTests.Kind) throws {
        try directories.ensure(Self.key)
        TestFile.write("keep", files["data/1/file"])
        kind.make(files["data/1/resin-updates.lock"])
        directories.removeDataLock(of: AppID(1))
        #expect(TestFile.names(files["data/1"]) == ["file"])
        // What was not empty was renamed to where it is reaped.
        #expect(directories.leftovers().count == (kind == .directory ? 1 : 0))
    }

    @Test func `removing a lock that is not there does nothing`() throws {
        directories.removeDataLock(of: AppID(1))
        #expect(TestFile.names(files["data"]) == [])
    }

    // MARK: Purge

    @Test func `a purge leaves an empty directory, and keeps other applications`() throws {
        try directories.ensure(Self.key)
        try directories.ensure(ServiceKey(app: AppID(2), service: "main"))
        TestFile.write("mine", files["data/1/file"])
        TestFile.write("theirs", files["data/2/file"])
        chmod(files["data/1"], 0o700)
        try directories.purge(AppID(1))
        #expect(TestFile.names(files["data/1"]) == [])
        #expect(TestFile.mode(files["data/1"]) == 0o777)
        #expect(TestFile.text(files["data/2/file"]) == "theirs")
        let leftovers = directories.leftovers()
        #expect(leftovers.count == 1)
        #expect(TestFile.text("\(leftovers.first ?? "")/file") == "mine")
    }

    @Test func `a purge of an application without a directory makes one`() throws {
        try directories.purge(AppID(1))
        #expect(TestFile.mode(files["data/1"]) == 0o777)
        #expect(directories.leftovers() == [])
    }

    @Test func `two purges are two trees to reap`() throws {
        for _ in 0..<2 { try directories.purge(AppID(1)) }
        try directories.purge(AppID(1))
        #expect(directories.leftovers().count == 2)
    }

    @Test func `a link in data is removed and not followed`() throws {
        try directories.ensure(Self.key)
        TestFile.makeDirectories(files["outside"])
        TestFile.write("precious", files["outside/file"])
        symlink(files["outside"], files["data/1/link"])
        symlink(files["outside/file"], files["data/1/file"])
        try directories.purge(AppID(1))
        var reaper = Reaper(limit: 100)
        for path in directories.leftovers() { reaper.remove(path) }
        #expect(reaper.obstacle == nil)
        #expect(directories.leftovers() == [])
        #expect(TestFile.text(files["outside/file"]) == "precious")
    }

    @Test func `a data directory that is a link to elsewhere is renamed, and what it points to stays`() throws {
        TestFile.makeDirectories(files["outside"])
        TestFile.write("precious", files["outside/file"])
        symlink(files["outside"], files["data/1"])
        try directories.purge(AppID(1))
        var reaper = Reaper(limit: 100)
        for path in directories.leftovers() { reaper.remove(path) }
        #expect(TestFile.text(files["outside/file"]) == "precious")
        #expect(TestFile.names(files["data/1"]) == [])
    }

    @Test(.enabled(if: FullFileSystem.isPossible, "mounting takes root"))
    func `a purge that cannot make the new directory brings the data back`() throws {
        TestFile.makeDirectories(files["small"])
        // The root of the file system, /data of one application and the file in it: no inode is left.
        let full = try FullFileSystem(at: files["small"], inodes: 3)
        defer { full.unmount() }
        let directories = AppDirectories(dataDirectory: files["small"], lockDirectory: files["locks"])
        TestFile.makeDirectories(files["small/1"])
        TestFile.write("precious", files["small/1/file"])
        let error = try #require(throws: SystemCallError.self) { try directories.purge(AppID(1)) }
        #expect(error.code == ENOSPC)
        #expect(error.path == files["small/1"])
        #expect(TestFile.text(files["small/1/file"]) == "precious")
        #expect(directories.leftovers() == [])
    }

    // MARK: Leftovers

    @Test func `only what was renamed away is left over`() throws {
        for path in [
            "data/.purge-1", "data/.stale-2", "locks/1/.stale-3", "data/1/.purge-4", "data/.other", "data/purge-5",
            "locks/x/.stale-6", "locks/1/main/.stale-7",
        ] {
            TestFile.makeDirectories(files[path])
        }
        #expect(
            Set(directories.leftovers())
                == Set(["data/.purge-1", "data/.stale-2", "locks/1/.stale-3"].map { files[$0] })
        )
    }
}
