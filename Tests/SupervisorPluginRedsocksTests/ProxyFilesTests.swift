import Glibc
import Testing

@testable import supervisor_plugin_redsocks

@Suite(.timeLimit(.minutes(1))) struct ProxyFilesTests {
    static func content(_ configuration: String?, _ list: String?) -> ProxyFiles.Content {
        ProxyFiles.Content(configuration: configuration.map { Array($0.utf8) }, noProxy: list.map { Array($0.utf8) })
    }

    static func write(_ content: ProxyFiles.Content, to folder: Folder) {
        if let bytes = content.configuration {
            folder.write(String(decoding: bytes, as: UTF8.self), as: "redsocks.conf", mode: 0o604)
        }
        if let bytes = content.noProxy { folder.write(String(decoding: bytes, as: UTF8.self), as: "no_proxy") }
    }

    /// What a process does before it dies.
    enum Step: Int, CaseIterable {
        case nothing, prepared, keptOne, begun, swappedOne, swapped, restoredOne, restored
    }

    static let contents = [content(nil, nil), content("a", nil), content("a", "b"), content("c", "d")]
    static let cases = Step.allCases.flatMap { step in
        contents.flatMap { former in contents.map { (step, former, $0) } }
    }

    @Test(arguments: cases)
    func `a process that dies leaves the former files or the way back to them`(
        step: Step,
        former: ProxyFiles.Content,
        new: ProxyFiles.Content
    ) throws {
        let folder = Folder()
        Self.write(former, to: folder)
        do {
            let files = try folder.files()
            if step.rawValue >= Step.prepared.rawValue { _ = try files.prepare(new) }
            if step == .keptOne, former.configuration != nil {
                link("\(folder.path)/redsocks.conf", "\(folder.path)/.redsocks.conf.former")
            }
            if step.rawValue >= Step.begun.rawValue { try files.begin() }
            if step == .swappedOne {
                if new.noProxy != nil {
                    rename("\(folder.path)/.no_proxy.candidate", "\(folder.path)/no_proxy")
                } else {
                    unlink("\(folder.path)/no_proxy")
                }
            }
            if step.rawValue >= Step.swapped.rawValue { try files.swap(new) }
            if step == .restoredOne {
                if former.noProxy != nil {
                    rename("\(folder.path)/.no_proxy.former", "\(folder.path)/no_proxy")
                } else {
                    unlink("\(folder.path)/no_proxy")
                }
            }
            if step == .restored { try files.restore() }
        }
        let files = try folder.files()
        let isUnconfirmed = files.isUnconfirmed
        #expect(isUnconfirmed == (step.rawValue >= Step.begun.rawValue))
        if isUnconfirmed {
            try files.restore()
            // Twice is once.
            try files.restore()
            let restored = try files.current()
            #expect(restored == former)
            try files.forget()
        } else {
            files.discard()
        }
        let (content, isStillUnconfirmed) = (try files.current(), files.isUnconfirmed)
        #expect(content == former && !isStillUnconfirmed)
        if former.configuration != nil { #expect(folder.mode(of: "redsocks.conf") == 0o604) }
        let expected = [former.noProxy == nil ? nil : "no_proxy", former.configuration == nil ? nil : "redsocks.conf"]
        #expect(folder.entries == expected.compactMap { $0 })
    }

    @Test func `what was restored is not restored again over what came later`() throws {
        let folder = Folder()
        let files = try folder.files()
        _ = try files.prepare(Self.content("new", nil))
        try files.begin()
        try files.swap(Self.content("new", nil))
        try files.restore()
        folder.write("by hand", as: "redsocks.conf")
        try files.restore()
        #expect(folder.read("redsocks.conf") == "by hand")
    }

    @Test func `a change that is confirmed stays`() throws {
        let folder = Folder()
        Self.write(Self.content("a", "b"), to: folder)
        let files = try folder.files()
        let candidate = try files.prepare(Self.content("new", nil))
        #expect(candidate == "\(folder.path)/.redsocks.conf.candidate")
        #expect(folder.mode(of: ".redsocks.conf.candidate") == 0o600)
        try files.begin()
        try files.swap(Self.content("new", nil))
        try files.commit()
        #expect(folder.read("redsocks.conf") == "new")
        #expect(folder.entries == ["redsocks.conf"])
        #expect(folder.mode(of: "redsocks.conf") == 0o600)
    }

    @Test func `the group may read what this process can give to it`() throws {
        let folder = Folder()
        let names = ProxyFileNames(
            configuration: folder.names.configuration,
            noProxy: folder.names.noProxy,
            group: getgid()
        )
        let files = try folder.files(names)
        _ = try files.prepare(Self.content("new", "list"))
        #expect(folder.mode(of: ".redsocks.conf.candidate") == 0o640)
        #expect(folder.mode(of: ".no_proxy.candidate") == 0o640)
    }

    @Test func `a directory that is missing is made for a change alone`() throws {
        let folder = Folder()
        let path = "\(folder.path)/a/b"
        let names = ProxyFileNames(
            configuration: try #require(ProxyFileNames.Name("\(path)/redsocks.conf")),
            noProxy: try #require(ProxyFileNames.Name("\(path)/no_proxy")),
            group: nil
        )
        let absent = try ProxyFiles.open(names, creates: false) == nil
        #expect(absent && folder.entries.isEmpty)
        let isOpen = try ProxyFiles.open(names, creates: true) != nil
        #expect(isOpen)
        #expect(folder.mode(of: "a/b") == 0o750)
        rmdir(path)
        rmdir("\(folder.path)/a")
    }

    @Test func `a second process waits its turn`() throws {
        let folder = Folder()
        do {
            let one = try folder.files()
            let other = try folder.files()
            let locked = (try one.tryLock(), try other.tryLock())
            #expect(locked == (true, false))
        }
        let third = try folder.files()
        let isLocked = try third.tryLock()
        #expect(isLocked)
    }

    @Test(arguments: ["", "a", "a/b", "/", "/a/", "/a/..", "/a/."])
    func `a name that is no absolute path is refused`(path: String) {
        #expect(ProxyFileNames.Name(path) == nil)
    }
}
