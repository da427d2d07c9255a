import Glibc
import TestSupport
import Testing
import UnitFile

@Suite struct UnitSearchPathTests {
    let root: TemporaryDirectory
    let path: UnitSearchPath

    /// Directories "etc", "run" and "usr", of which none is there before something is put into it.
    init() throws {
        root = TemporaryDirectory()
        path = UnitSearchPath([root.path + "/etc", root.path + "/run", root.path + "/usr"])
    }

    /// "section.key=value" of all assignments.
    private func loaded(_ name: String = "a.plugin") throws -> [String]? {
        guard case .loaded(_, let contents) = try path.unit(named: name) else { return nil }
        return contents.assignments.map { "\($0.section).\($0.key)=\($0.text)" }
    }

    @Test func `nothing anywhere is absent`() throws {
        #expect(try path.unit(named: "a.plugin") == .absent)
        #expect(try path.configuration(named: "a.conf") == UnitFile())
        #expect(try path.names(suffix: ".plugin") == [])
    }

    @Test func `the first directory that has the file decides`() throws {
        root.write("[A]\nb=usr", to: "usr/a.plugin")
        #expect(try loaded() == ["A.b=usr"])
        let file = root.write("[A]\nc=run", to: "run/a.plugin")
        #expect(try loaded() == ["A.c=run"])
        guard case .loaded(let main, let contents) = try path.unit(named: "a.plugin") else {
            Issue.record("not loaded")
            return
        }
        #expect(main == file)
        #expect(contents.last("c", in: "A")?.location == UnitFile.Location(file: file, line: 2))
    }

    @Test func `drop-ins of all directories are merged in the order of their names`() throws {
        root.write("[A]\nb=0", to: "run/a.plugin")
        root.write("[A]\nb=3", to: "etc/a.plugin.d/30.conf")
        root.write("[A]\nb=1", to: "usr/a.plugin.d/10.conf")
        root.write("[A]\nb=2", to: "run/a.plugin.d/20.conf")
        #expect(try loaded() == ["A.b=0", "A.b=1", "A.b=2", "A.b=3"])
    }

    @Test func `of two drop-ins with one name the one further up counts`() throws {
        root.write("[A]\nb=0", to: "usr/a.plugin")
        root.write("[A]\nb=usr", to: "usr/a.plugin.d/10.conf")
        root.write("[A]\nb=run", to: "run/a.plugin.d/10.conf")
        #expect(try loaded() == ["A.b=0", "A.b=run"])
    }

    @Test func `drop-ins end in .conf, are not hidden and belong to one name`() throws {
        root.write("[A]\nb=0", to: "usr/a.plugin")
        root.write("[A]\nb=1", to: "usr/a.plugin.d/10.conf~")
        root.write("[A]\nb=2", to: "usr/a.plugin.d/.20.conf")
        root.write("[A]\nb=3", to: "usr/b.plugin.d/30.conf")
        root.write("[A]\nb=4", to: "usr/a.plugin.d/README")
        #expect(try loaded() == ["A.b=0"])
    }

    @Test(arguments: ["/dev/null", nil])
    func `a mask hides the file further down and its drop-ins`(target: String?) throws {
        root.write("[A]\nb=usr", to: "usr/a.plugin")
        root.write("nonsense", to: "etc/a.plugin.d/10.conf")
        let mask =
            if let target { root.link("run/a.plugin", to: target) } else { root.write("", to: "run/a.plugin") }
        #expect(try path.unit(named: "a.plugin") == .masked(mask))
        root.write("[A]\nb=etc", to: "etc/b.plugin")
        #expect(try loaded("b.plugin") == ["A.b=etc"])
    }

    @Test func `a file with a comment only is no mask`() throws {
        root.write("# nothing", to: "etc/a.plugin")
        #expect(try loaded() == [])
    }

    @Test(arguments: ["/dev/null", nil])
    func `a masked drop-in is left out`(target: String?) throws {
        root.write("[A]\nb=0", to: "usr/a.plugin")
        root.write("[A]\nb=1", to: "usr/a.plugin.d/10.conf")
        root.write("[A]\nb=2", to: "usr/a.plugin.d/20.conf")
        if let target {
            root.link("etc/a.plugin.d/10.conf", to: target)
        } else {
            root.write("", to: "etc/a.plugin.d/10.conf")
        }
        #expect(try loaded() == ["A.b=0", "A.b=2"])
    }

    @Test func `drop-ins alone make no unit but count for a configuration`() throws {
        root.write("[A]\nb=1", to: "etc/a.conf.d/10.conf")
        #expect(try path.unit(named: "a.conf") == .absent)
        #expect(try path.configuration(named: "a.conf").last("b", in: "A")?.text == "1")
        root.write("[A]\nb=0\nc=0", to: "usr/a.conf")
        #expect(try path.configuration(named: "a.conf").last("b", in: "A")?.text == "1")
        #expect(try path.configuration(named: "a.conf").last("c", in: "A")?.text == "0")
        root.link("run/a.conf", to: "/dev/null")
        #expect(try path.configuration(named: "a.conf").last("b", in: "A")?.text == "1")
        #expect(try path.configuration(named: "a.conf").last("c", in: "A") == nil)
    }

    @Test func `an empty assignment in a drop-in empties the list of the file`() throws {
        root.write("[A]\nb=1\nb=2", to: "usr/a.conf")
        root.write("[A]\nb=\nb=3", to: "etc/a.conf.d/10.conf")
        #expect(try path.configuration(named: "a.conf").all("b", in: "A")?.map(\.text) == ["3"])
    }

    @Test func `a link to a file is followed`() throws {
        let real = root.write("[A]\nb=c", to: "elsewhere")
        root.link("etc/a.plugin", to: real)
        #expect(try loaded() == ["A.b=c"])
    }

    @Test func `an error names the drop-in and its line`() throws {
        root.write("[A]\nb=0", to: "usr/a.plugin")
        let bad = root.write("[A]\n\nb", to: "etc/a.plugin.d/10.conf")
        let error = #expect(throws: UnitFileError.self) { try path.unit(named: "a.plugin") }
        #expect(error?.description == "\(bad):3: expected [SECTION], KEY=VALUE or a comment")
    }

    @Test func `a link that leads nowhere is an error`() throws {
        root.write("[A]\nb=0", to: "usr/a.plugin")
        let link = root.link("etc/a.plugin", to: root.path + "/nowhere")
        let error = #expect(throws: UnitFileError.self) { try path.unit(named: "a.plugin") }
        #expect(error?.code == .unreadable)
        #expect(error?.description == "\(link): cannot be read: No such file or directory")
    }

    @Test(.timeLimit(.minutes(1))) func `a directory, a FIFO and a device other than null are errors`() throws {
        root.directory("etc/a.plugin")
        root.makeFIFO("etc/b.plugin")
        root.link("etc/c.plugin", to: "/dev/zero")
        let reasons = ["a": "cannot be read: Is a directory", "b": "not a regular file", "c": "not a regular file"]
        for (name, reason) in reasons {
            let error = #expect(throws: UnitFileError.self) { try path.unit(named: "\(name).plugin") }
            #expect(error?.description == "\(root.path)/etc/\(name).plugin: \(reason)")
        }
    }

    @Test func `a file that is too large is refused`() throws {
        let text = "[A]\nb=" + String(repeating: "x", count: UnitFile.sizeLimit)
        let file = root.write(text, to: "etc/a.plugin")
        let error = #expect(throws: UnitFileError.self) { try path.unit(named: "a.plugin") }
        #expect(error?.description == "\(file): the file is larger than 1048576 bytes")
    }

    @Test func `names are those of all directories, sorted, each once, masks included`() throws {
        root.write("[A]", to: "usr/b.plugin")
        root.write("[A]", to: "usr/a.plugin")
        root.write("", to: "etc/b.plugin")
        root.write("[A]", to: "run/Z.plugin")
        root.write("[A]", to: "run/.hidden.plugin")
        root.write("[A]", to: "run/c.plugin.d/10.conf")
        #expect(try path.names(suffix: ".plugin") == ["Z.plugin", "a.plugin", "b.plugin"])
    }
}
