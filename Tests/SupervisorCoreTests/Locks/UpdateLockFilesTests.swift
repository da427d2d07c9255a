import CLinux
import Glibc
import LinuxSupport
import TestSupport
import Testing

@testable import SupervisorCore

/// What is held, what is taken, and what is left alone. What root may do and others may not is not seen here.
struct UpdateLockFilesTests {
    private let files = TemporaryDirectory()
    private let directories: AppDirectories
    private let locks: UpdateLockFiles
    private static let token = String(repeating: "b", count: 32)
    private static let one = UpdateLockFiles.Scope(app: AppID(1), services: ["main"])
    private static let two = UpdateLockFiles.Scope(app: AppID(2), services: ["main"])

    init() throws {
        directories = AppDirectories(dataDirectory: files["data"], lockDirectory: files["locks"])
        try directories.prepare()
        for app: Int64 in [1, 2] { try directories.ensure(ServiceKey(app: AppID(app), service: "main")) }
        locks = UpdateLockFiles(directories: directories, bootID: "boot-2", token: Self.token)
    }

    /// A lock path that a test is about.
    enum Place: String, CaseIterable, Sendable {
        case new = "locks/1/main/updates.lock"
        case old = "locks/1/main/resin-updates.lock"
        case oldest = "data/1/resin-updates.lock"
    }

    /// Whatever may exist at a path.
    enum Kind: CaseIterable, Sendable {
        case file, emptyDirectory, directory, link, danglingLink, fifo, socket

        func make(_ path: String) {
            switch self {
            case .file: TestFile.write("", path)
            case .emptyDirectory: TestFile.makeDirectories(path)
            case .directory:
                TestFile.makeDirectories(path)
                TestFile.write("", path + "/pid")
            case .link: precondition(symlink("/dev/null", path) == 0)
            case .danglingLink: precondition(symlink("/nowhere", path) == 0)
            case .fifo: precondition(mkfifo(path, 0o600) == 0)
            case .socket: precondition(mknod(path, S_IFSOCK | 0o600, 0) == 0)
            }
        }
    }

    private func take(_ scopes: UpdateLockFiles.Scope..., force: Bool = false) throws -> UpdateLockFiles.Taken {
        switch locks.take(scopes, force: force) {
        case .taken(let taken): return taken
        case .held(let held): throw SupervisorError(.locked, "\(held)")
        }
    }

    private func obstacles(_ scopes: UpdateLockFiles.Scope..., force: Bool = false) throws -> [HeldLock] {
        switch locks.take(scopes, force: force) {
        case .taken(let taken):
            taken.release()
            Issue.record("it was taken")
            return []
        case .held(let held): return held
        }
    }

    /// Every file below the two directories, without the directories that are there from the start.
    private var everything: [String] {
        func below(_ path: String) -> [String] {
            TestFile.names(files[path]).flatMap { name -> [String] in
                let inner = "\(path)/\(name)"
                return [inner] + ((TestFile.status(files[inner])?.st_mode ?? 0) & S_IFMT == S_IFDIR ? below(inner) : [])
            }
        }
        let start = [
            "data/1", "data/2", "locks/1", "locks/1/main", "locks/1/.spare-main", "locks/2", "locks/2/main",
            "locks/2/.spare-main",
        ]
        return (below("data") + below("locks")).filter { !start.contains($0) }
    }

    private static let allPlaces = [
        "data/1/resin-updates.lock", "locks/1/main/resin-updates.lock", "locks/1/main/updates.lock",
    ]

    // MARK: Looking

    @Test func `where nothing is, nothing is held`() {
        #expect(locks.held(Self.one) == [])
    }

    @Test(arguments: Place.allCases, Kind.allCases)
    func `whatever exists at a path is a lock`(place: Place, kind: Kind) throws {
        kind.make(files[place.rawValue])
        let held = try #require(locks.held(Self.one).first)
        #expect(held.path == files[place.rawValue])
        #expect(held.app == AppID(1))
        #expect(held.service == (place == .oldest ? nil : "main"))
        #expect(held.owner == geteuid())
        #expect(held.since != nil)
        #expect(held.reason == nil)
        #expect(locks.held(Self.two) == [], "the other application is free")
    }

    @Test(arguments: [true, false], Place.allCases)
    func `what exists is never free, whatever the file system keeps in memory`(inMemory: Bool, place: Place) throws {
        let memory = UpdateLockFiles.InMemory(locks: inMemory, data: inMemory)
        for kind in Kind.allCases {
            // The kernel is to know by heart that there was nothing before there is something, and the other way round.
            _ = locks.areFree(Self.one, memory)
            kind.make(files[place.rawValue])
            #expect(!locks.areFree(Self.one, memory))
            #expect(locks.areFree(Self.two, .init(locks: true, data: true)))
            if kind == .directory { unlink(files[place.rawValue] + "/pid") }
            #expect(Glibc.remove(files[place.rawValue]) == 0)
            #expect(locks.areFree(Self.one, .init(locks: true, data: true)))
        }
    }

    @Test func `what is in memory is told by its file system`() {
        #expect(FileSystem.isInMemory("/dev/shm"))
        #expect(!FileSystem.isInMemory("/proc"))
        #expect(!FileSystem.isInMemory("/nowhere"))
        #expect(FileSystem.isKnownAbsent("/dev/shm/nowhere/\(getpid())", inMemory: true))
        #expect(!FileSystem.isKnownAbsent("/dev/shm", inMemory: true))
        #expect(!FileSystem.isKnownAbsent("/dev/shm", inMemory: false))
    }

    @Test func `another name in the lock directory is no lock`() {
        for name in ["updates", "updates.lock2", ".updates.lock"] { TestFile.write("", files["locks/1/main/\(name)"]) }
        TestFile.write("", files["data/1/updates.lock"])
        #expect(locks.held(Self.one) == [])
    }

    @Test func `no lock counts while no service lives`() {
        for place in Place.allCases { Kind.file.make(files[place.rawValue]) }
        #expect(locks.held(.init(app: AppID(1), services: [])) == [])
    }

    @Test func `directories that are missing hold no lock`() {
        #expect(locks.held(.init(app: AppID(9), services: ["main"])) == [])
    }

    // MARK: Taking

    @Test func `taking makes every lock of the service, and releasing leaves nothing`() throws {
        let taken = try take(Self.one)
        #expect(everything == Self.allPlaces)
        #expect(locks.held(Self.one) == [], "our own does not count as held")
        taken.release()
        #expect(everything == [])
    }

    @Test(arguments: Place.allCases, Kind.allCases)
    func `one lock that is held anywhere, and nothing is taken or changed`(place: Place, kind: Kind) throws {
        kind.make(files[place.rawValue])
        let before = everything
        let held = try obstacles(Self.one, Self.two)
        #expect(held.map(\.path) == [files[place.rawValue]])
        #expect(everything == before)
    }

    @Test func `of two applications one is held: neither is taken, in either order`() throws {
        TestFile.write("", files["locks/2/main/updates.lock"])
        #expect(try obstacles(Self.one, Self.two).map(\.app.number) == [2])
        #expect(try obstacles(Self.two, Self.one).map(\.app.number) == [2])
        #expect(everything == ["locks/2/main/updates.lock"])
    }

    @Test func `every holder is told`() throws {
        TestFile.write("", files["locks/2/main/updates.lock"])
        TestFile.write("", files["data/1/resin-updates.lock"])
        #expect(try obstacles(Self.two, Self.one).map(\.app.number) == [1, 2])
    }

    @Test func `nothing is taken where no service lives`() throws {
        let taken = try take(.init(app: AppID(1), services: []))
        #expect(everything == [])
        taken.release()
    }

    @Test func `an application without directories is free`() throws {
        let taken = try take(.init(app: AppID(9), services: ["main"]), Self.one)
        #expect(everything == Self.allPlaces)
        taken.release()
        #expect(everything == [])
    }

    @Test(arguments: Place.allCases)
    func `while it is taken, a client of any kind is refused`(place: Place) throws {
        let path = files[place.rawValue]
        let taken = try take(Self.one)
        let exclusive = clinux_openat(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        #expect(exclusive == -1)
        #expect(errno == EEXIST)
        #expect(link(files["locks"], path) == -1)
        #expect(mkdir(path, 0o755) == -1)
        let descriptor = clinux_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0)
        #expect(descriptor >= 0)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == -1)
        #expect(errno == EWOULDBLOCK)
        #expect(flock(descriptor, LOCK_SH | LOCK_NB) == -1)
        #expect(clinux_lock_whole_file(descriptor) == -1)
        #expect(errno == EAGAIN || errno == EACCES)
        // Whoever waits with the file open gets it when it is released.
        taken.release()
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        #expect(clinux_lock_whole_file(descriptor) == 0)
        close(descriptor)
    }

    @Test func `a second supervisor with another token is refused`() throws {
        let taken = try take(Self.one)
        var other = locks
        other.token = String(repeating: "c", count: 32)
        #expect(other.held(Self.one).count == 3)
        guard case .held = other.take([Self.one], force: false) else {
            Issue.record("it was taken twice")
            return
        }
        #expect(everything == Self.allPlaces)
        taken.release()
    }

    @Test func `force takes what is free and leaves what others hold`() throws {
        TestFile.write("mine", files["locks/1/main/updates.lock"])
        TestFile.makeDirectories(files["data/2/resin-updates.lock"])
        let taken = try take(Self.one, Self.two, force: true)
        #expect(
            everything == [
                "data/1/resin-updates.lock", "data/2/resin-updates.lock", "locks/1/main/resin-updates.lock",
                "locks/1/main/updates.lock", "locks/2/main/resin-updates.lock", "locks/2/main/updates.lock",
            ]
        )
        taken.release()
        #expect(everything == ["data/2/resin-updates.lock", "locks/1/main/updates.lock"])
        #expect(TestFile.text(files["locks/1/main/updates.lock"]) == "mine")
    }

    @Test func `after a swap nothing of ours is there, and release leaves alone what is`() throws {
        let taken = try take(Self.one)
        try directories.swapLocks(of: ServiceKey(app: AppID(1), service: "main"))
        #expect(TestFile.names(files["locks/1/main"]) == [])
        // The application's new container takes its lock before the operation is through.
        TestFile.write("theirs", files["locks/1/main/updates.lock"])
        taken.release()
        #expect(TestFile.text(files["locks/1/main/updates.lock"]) == "theirs")
        #expect(!TestFile.exists(files["data/1/resin-updates.lock"]))
    }

    @Test func `what an application put in the place of ours is not removed`() throws {
        let taken = try take(Self.one)
        unlink(files["locks/1/main/updates.lock"])
        TestFile.write("theirs", files["locks/1/main/updates.lock"])
        taken.release()
        #expect(everything == ["locks/1/main/updates.lock"])
    }

    @Test func `two locks that were joined are released together`() throws {
        let joined = UpdateLockFiles.Taken(joining: try take(Self.one), try take(Self.two))
        #expect(everything.count == 6)
        joined.release()
        #expect(everything == [])
    }

    // MARK: After a kill

    private func own(boot: String, token: String) -> String { "supervisor \(boot) \(token)\n" }

    @Test(arguments: Place.allCases)
    func `a lock of a killed supervisor of this boot neither counts nor stays`(place: Place) throws {
        TestFile.write(own(boot: "boot-2", token: Self.token), files[place.rawValue])
        #expect(locks.held(Self.one) == [])
        locks.clearOwn()
        #expect(everything == [])
    }

    @Test(arguments: Place.allCases)
    func `a lock of ours from an earlier boot neither counts nor stays`(place: Place) throws {
        TestFile.write(own(boot: "boot-1", token: "another"), files[place.rawValue])
        #expect(locks.held(Self.one) == [])
        locks.clearOwn()
        #expect(everything == [])
    }

    @Test(arguments: [
        "", "supervisor", "supervisor boot-2", "supervisor boot-2 other\n", "keep boot-1 x\n",
        "supervisor  boot-1 x y\n",
    ])
    func `a lock that is not ours stays and counts`(content: String) throws {
        for place in Place.allCases { TestFile.write(content, files[place.rawValue]) }
        locks.clearOwn()
        #expect(everything == Self.allPlaces)
        #expect(locks.held(Self.one).count == 3)
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives a file to somebody else"))
    func `another user's copy of our mark is a lock of that user's`() throws {
        let path = files["locks/1/main/updates.lock"]
        TestFile.write(own(boot: "boot-2", token: Self.token), path)
        try #require(chown(path, 65534, 65534) == 0)
        locks.clearOwn()
        let held = try #require(locks.held(Self.one).first)
        #expect(held.owner == 65534)
        #expect(held.description.contains("uid 65534"))
    }

    @Test func `a link to a lock of ours is somebody else's lock`() throws {
        TestFile.write(own(boot: "boot-2", token: Self.token), files["mark"])
        try #require(symlink(files["mark"], files["locks/1/main/updates.lock"]) == 0)
        locks.clearOwn()
        #expect(locks.held(Self.one).count == 1)
    }

    @Test func `temporaries of a killed supervisor are cleared away, other files are not`() throws {
        for path in ["locks/1/.lock-0011", "data/.lock-0022", "locks/1/main/.lock-x", "data/1/.lock-y"] {
            TestFile.write("", files[path])
        }
        locks.clearOwn()
        #expect(everything == ["data/1/.lock-y", "locks/1/main/.lock-x"])
    }

    @Test func `locks of a killed supervisor do not keep the next one from taking them`() throws {
        _ = try take(Self.one)
        locks.clearOwn()
        let taken = try take(Self.one)
        #expect(everything == Self.allPlaces)
        taken.release()
    }
}
