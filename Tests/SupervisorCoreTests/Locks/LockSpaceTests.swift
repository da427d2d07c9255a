import Glibc
import HostOperations
import LinuxSupport
import TestSupport
import Testing

@testable import SupervisorCore

/// One application fills its lock directory: it is named, and no other is in its way.
@Suite(.enabled(if: FullFileSystem.isPossible))
struct LockSpaceTests {
    private let files = TemporaryDirectory()
    private let directories: AppDirectories
    private let locks: UpdateLockFiles
    private static let one = UpdateLockFiles.Scope(app: AppID(1), services: ["main"])
    private static let two = UpdateLockFiles.Scope(app: AppID(2), services: ["main"])

    init() throws {
        directories = AppDirectories(dataDirectory: files["data"], lockDirectory: files["locks"])
        locks = UpdateLockFiles(directories: directories, bootID: "boot-2", token: String(repeating: "b", count: 32))
    }

    enum Filling: CaseIterable, Sendable {
        case files, data, closedDirectory

        /// Fills a lock directory until nothing more fits.
        func fill(_ directory: String) {
            var number = 0
            func create(_ name: String) -> Int32 { open("\(directory)/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o600) }
            if self == .closedDirectory {
                for number in 0..<100 where mkdir("\(directory)/\(number)", 0o700) != 0 { break }
                return
            }
            if self == .data {
                let descriptor = create("big")
                let page = [UInt8](repeating: 1, count: 4096)
                while write(descriptor, page, page.count) > 0 {}
                close(descriptor)
                return
            }
            while true {
                let descriptor = create("f\(number)")
                guard descriptor >= 0 else { return }
                close(descriptor)
                number += 1
            }
        }
    }

    private func make(_ ids: Int64...) throws {
        try directories.prepare()
        for id in ids { try directories.ensure(ServiceKey(app: AppID(id), service: "main")) }
    }

    private func isTaken(_ scope: UpdateLockFiles.Scope, force: Bool = false) -> Bool {
        guard case .taken(let taken) = locks.take([scope], force: force) else { return false }
        taken.release()
        return true
    }

    @Test(arguments: Filling.allCases, [true, false])
    func `an application that fills its lock directory is named, and the others are taken`(
        filling: Filling,
        shares: Bool
    ) throws {
        try directories.prepare()
        TestFile.makeDirectories(files["locks/1"])
        let space = try FullFileSystem(at: files[shares ? "locks" : "locks/1"], inodes: 40)
        defer { space.unmount() }
        try make(1, 2)
        filling.fill(files["locks/1/main"])
        #expect(isTaken(Self.two), "another application")
        #expect(locks.held(Self.two) == [])
        guard case .held(let held) = locks.take([Self.one], force: false) else {
            Issue.record("it was taken")
            return
        }
        #expect(held.count == 1 && held[0].description.contains("application 1 has filled its lock directory"))
        #expect(locks.held(Self.one) == held)
        #expect(!locks.areFree(Self.one, .init(locks: true, data: true)))
        #expect(isTaken(Self.one, force: true))
        #expect(Supervisor.lockedError(held).message.contains("application 1"))
    }

    @Test(arguments: [true, false])
    func `a lock directory is replaced where there is no room for a new one`(shares: Bool) throws {
        try directories.prepare()
        TestFile.makeDirectories(files["locks/1"])
        let space = try FullFileSystem(at: files[shares ? "locks" : "locks/1"], inodes: 40)
        defer { space.unmount() }
        try make(1, 2)
        Filling.files.fill(files["locks/1/main"])
        for id: Int64 in [2, 1] { try directories.swapLocks(of: ServiceKey(app: AppID(id), service: "main")) }
        #expect(TestFile.names(files["locks/1/main"]) == [])
        #expect(TestFile.status(files["locks/1/main"])?.permissions == 0o1777)
    }

    @Test func `locks in data of an earlier boot go, those of this boot stay`() throws {
        try make(1)
        let lock = files["data/1/resin-updates.lock"]
        let elsewhere = files["elsewhere"]
        TestFile.write("keep", elsewhere)
        try directories.clearLocksOfEarlierBoot("a", containersMayRun: false)
        TestFile.write("", lock)
        try directories.clearLocksOfEarlierBoot("a", containersMayRun: false)
        #expect(TestFile.status(lock) != nil, "a restart is no boot")
        try directories.clearLocksOfEarlierBoot("b", containersMayRun: false)
        #expect(TestFile.status(lock) == nil)
        #expect(symlink(elsewhere, lock) == 0)
        try directories.clearLocksOfEarlierBoot("c", containersMayRun: false)
        #expect(TestFile.status(lock) == nil && TestFile.status(elsewhere) != nil)
    }

    @Test func `where nothing says which boot it was, only an application without a lock directory counts`() throws {
        try make(1)
        for id in [1, 2] {
            TestFile.makeDirectories(files["data/\(id)"])
            TestFile.write("", files["data/\(id)/resin-updates.lock"])
        }
        try directories.clearLocksOfEarlierBoot("a", containersMayRun: false)
        #expect(TestFile.status(files["data/1/resin-updates.lock"]) != nil)
        #expect(TestFile.status(files["data/2/resin-updates.lock"]) == nil)
    }

    @Test func `a link to a lock of ours is a lock of the application`() throws {
        try make(1)
        TestFile.write(locks.mark, files["ours"])
        #expect(symlink(files["ours"], files["locks/1/main/updates.lock"]) == 0)
        #expect(locks.held(Self.one).count == 1)
    }

    @Test func `what took the place of an entry is not removed`() throws {
        try make(1)
        let path = files["locks/1/main/updates.lock"]
        TestFile.write("ours", path)
        let entry = try #require(try LockEntry(path))
        unlink(path)
        TestFile.write("theirs", path)
        entry.remove(by: UpdateLockFiles.temporaryPrefix)
        #expect(TestFile.status(path) != nil)
        #expect(TestFile.names(files["locks/1"]) == [".spare-main", "main"])
    }

    @Test(arguments: [false, true])
    func `the storage plugin gives each application room before its first container starts`(fails: Bool) async {
        await Bench.run { bench in
            bench.host.provided.insert(StorageLockSpace.name)
            if fails { bench.host.fail(StorageLockSpace.name, times: 9, HostOperationError(.failed, "no")) }
            await bench.start(target: Sample.target((1, Sample.app("img:1")), (2, Sample.app("img:1"))))
            let requests = bench.host.requests.filter { $0.hasPrefix(StorageLockSpace.name) }
            #expect(requests == ["storage.lock-space {\"appId\":1}", "storage.lock-space {\"appId\":2}"])
            #expect(bench.container(1).state == .running && bench.container(2).state == .running)
        }
    }
}
