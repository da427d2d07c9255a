import Glibc
import TestSupport
import Testing
import UnitFile

@testable import SupervisorPluginHost

struct ManifestTests {
    private static func read(_ text: String, name: String = "led") throws -> PluginManifest {
        let unit = try UnitFile(parsing: Array(text.utf8), file: "/m/\(name).plugin")
        return try ManifestReader(unit, name: name, path: "/m/\(name).plugin").read()
    }

    private static let least = """
        [Plugin]
        Name=led
        Provides=led.blink
        [Launch]
        Exec=/usr/libexec/led

        """

    @Test func `a short manifest has the defaults of the manual`() throws {
        let manifest = try Self.read(Self.least)
        #expect(manifest.launch == .executable(path: "/usr/libexec/led", arguments: []))
        #expect(manifest.lifecycle == .onDemand)
        #expect(manifest.provides == ["led.blink"])
        #expect(!manifest.isEssential)
        #expect(manifest.priority == 0)
        #expect(manifest.idleTimeout == .seconds(30))
        #expect(manifest.startTimeout == .seconds(5))
        #expect(manifest.callTimeout == .seconds(10))
        #expect(manifest.stopTimeout == .seconds(5))
        #expect(manifest.deviceType.matches("anything"))
        #expect(manifest.settings.isEmpty)
    }

    @Test func `every key is taken`() throws {
        let manifest = try Self.read(
            """
            [Plugin]
            Name=led
            Description=Blinks
            Provides=led.blink
            Provides=x.y led.blink
            ProtocolVersions=1 2
            Essential=yes
            Priority=-3
            [Launch]
            Mode=socket
            Socket=/run/device-supervisor/led.sock
            Lifecycle=persistent
            IdleTimeoutSec=1min
            StartTimeoutSec=2
            CallTimeoutSec=500ms
            StopTimeoutSec=3
            [Match]
            DeviceType=raspberry* !raspberrypi4
            [Settings]
            Path=/sys/a=b "c"
            Empty=
            """
        )
        #expect(manifest.launch == .socket(path: "/run/device-supervisor/led.sock"))
        #expect(manifest.lifecycle == .persistent)
        #expect(manifest.provides == ["led.blink", "x.y"])
        #expect(manifest.isEssential)
        #expect(manifest.priority == -3)
        #expect(manifest.idleTimeout == .seconds(60))
        #expect(manifest.callTimeout == .milliseconds(500))
        #expect(manifest.deviceType.patterns == ["raspberry*", "!raspberrypi4"])
        #expect(manifest.settings == ["Path": #"/sys/a=b "c""#])
    }

    /// What is added to the least manifest, and what the error must name.
    private static let wrong: [(addition: String, names: String)] = [
        ("[Plugin]\nName=other", ":8: [Plugin] Name: \"other\" is not the file's name; allowed: led"),
        ("[Plugin]\nName=", "[Plugin] Name: the key is missing"),
        ("[Plugin]\nProvides=", "[Plugin] Provides: the key is missing"),
        ("[Plugin]\nProvides=blink", ":8: [Plugin] Provides: \"blink\" is not an operation"),
        ("[Plugin]\nProvides=plugin.ping", "\"plugin.ping\" is not an operation"),
        ("[Plugin]\nProvides=led..x", "is not an operation"),
        ("[Plugin]\nProvides=Led.x", "is not an operation"),
        ("[Plugin]\nProtocolVersions=2", "this supervisor supports only version 1"),
        ("[Plugin]\nProtocolVersions=one", "\"one\" is not a whole number"),
        ("[Plugin]\nEssential=maybe", ":8: [Plugin] Essential: \"maybe\" is neither yes nor no"),
        ("[Plugin]\nPriority=1001", "out of range; allowed: -1000 to 1000"),
        ("[Launch]\nMode=spawn", ":8: [Launch] Mode: \"spawn\" is not known; allowed: exec, socket"),
        ("[Launch]\nMode=socket", "[Launch] Socket: the key is missing"),
        ("[Launch]\nMode=socket\nSocket=run/x", "not an absolute path of a socket"),
        ("[Launch]\nMode=socket\nSocket=/run/", "not an absolute path of a socket"),
        ("[Launch]\nMode=socket\nSocket=/" + String(repeating: "a", count: 107), "a path of 108 bytes; allowed"),
        ("[Launch]\nExec=", "[Launch] Exec: the key is missing"),
        ("[Launch]\nExec=led", "[Launch] Exec: \"led\" is not an absolute path"),
        ("[Launch]\nExec=\"/a", "a quote is not closed"),
        ("[Launch]\nLifecycle=sometimes", "allowed: on-demand, persistent"),
        ("[Launch]\nIdleTimeoutSec=0", "out of range; allowed: 50ms to 1d"),
        ("[Launch]\nStartTimeoutSec=301", "out of range"),
        ("[Launch]\nCallTimeoutSec=soon", "is not a time span"),
        ("[Launch]\nStopTimeoutSec=-1", "is not a time span"),
        ("[Match]\nDeviceType=!", "a '!' without a pattern"),
    ]

    @Test(arguments: wrong)
    func `what is wrong is named with file, line, key and what is allowed`(addition: String, names: String) throws {
        let error = #expect(throws: UnitFileError.self) { try Self.read(Self.least + "\n" + addition) }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("/m/led.plugin:"), "\(text)")
        #expect(text.contains(names), "\(text)")
    }

    @Test func `a socket's path may have 107 bytes`() throws {
        let path = "/" + String(repeating: "a", count: 106)
        #expect(try Self.read(Self.least + "\nMode=socket\nSocket=\(path)").launch == .socket(path: path))
    }

    @Test func `Exec may have words, in quotes where they have spaces`() throws {
        let manifest = try Self.read(Self.least + #"Exec="/opt/my led" --fast 'a b'"#)
        #expect(manifest.launch == .executable(path: "/opt/my led", arguments: ["--fast", "a b"]))
    }

    @Test func `unknown keys and sections warn, those of others do not`() throws {
        let text = Self.least + "\nColour=red\nX-Mine=1\n[Extra]\nA=1\n[X-Extra]\nB=1\n[Settings]\nFree=1\n"
        let unit = try UnitFile(parsing: Array(text.utf8), file: "/m/led.plugin")
        let warnings = ManifestReader(unit, name: "led", path: "/m/led.plugin").warnings()
        #expect(
            warnings == [
                "/m/led.plugin:9: [Extra]: unknown section, ignored",
                "/m/led.plugin:7: [Launch] Colour: unknown key, ignored",
            ]
        )
    }

    @Test(
        arguments: [
            ([], "any", true),
            (["raspberrypi3"], "raspberrypi3", true),
            (["raspberrypi3"], "raspberrypi4", false),
            (["raspberrypi?"], "raspberrypi4", true),
            (["raspberry*"], "raspberrypi4-64", true),
            (["raspberrypi[34]"], "raspberrypi4", true),
            (["raspberrypi[!34]"], "raspberrypi4", false),
            (["!raspberrypi4"], "raspberrypi4", false),
            (["!raspberrypi4"], "intel-nuc", true),
            (["raspberry*", "!raspberrypi4"], "raspberrypi4", false),
            (["!raspberrypi4", "raspberry*"], "raspberrypi3", true),
            (["raspberry*", "!raspberrypi4"], "intel-nuc", false),
        ] as [([String], String, Bool)]
    )
    func `a pattern chooses boards`(patterns: [String], deviceType: String, matches: Bool) {
        #expect(DeviceTypeMatch(patterns).matches(deviceType) == matches)
    }

    @Test func `one bad manifest hurts only itself, and each name says what it is`() throws {
        let (upper, lower) = (TemporaryDirectory(in: "/tmp"), TemporaryDirectory(in: "/tmp"))
        func manifest(_ name: String, _ more: String = "") -> String {
            "[Plugin]\nName=\(name)\nProvides=\(name).do\n[Launch]\nMode=socket\nSocket=/run/\(name)\n\(more)\n"
        }
        for name in ["good", "masked", "empty", "board", "dropped"] {
            lower.write(manifest(name), to: "\(name).plugin")
        }
        lower.write("nonsense", to: "broken.plugin")
        lower.write(manifest("essential", "[Plugin]\nEssential=yes\nPriority=x"), to: "essential.plugin")
        lower.write("[Plugin]\nName=runs\nProvides=a.b\n[Launch]\nExec=/nowhere/at/all\n", to: "runs.plugin")
        lower.directory("folder.plugin")
        symlink("/dev/null", upper["masked.plugin"])
        upper.write("", to: "empty.plugin")
        upper.write(manifest("board", "[Match]\nDeviceType=other"), to: "board.plugin")
        upper.directory("dropped.plugin.d")
        upper.write("[Settings]\nColour=red\n", to: "dropped.plugin.d/10.conf")

        let outcome = ManifestSearch(searchPath: [upper.path, "/nowhere", lower.path], deviceType: "mine").run()
        let verdicts = Dictionary(uniqueKeysWithValues: outcome.findings.map { ($0.name, $0.verdict) })
        #expect(
            outcome.findings.map(\.name)
                == ["board", "broken", "dropped", "empty", "essential", "folder", "good", "masked", "runs"]
        )
        #expect(verdicts["masked"] == .masked)
        #expect(verdicts["empty"] == .masked)
        #expect(verdicts["good"]?.manifest?.file == lower["good.plugin"])
        #expect(verdicts["dropped"]?.manifest?.settings == ["Colour": "red"])
        guard case .unmatched(_, let reason)? = verdicts["board"] else { return #expect(Bool(false)) }
        #expect(reason == "[Match] DeviceType is other, this device is mine")
        guard case .invalid(let essential, true)? = verdicts["essential"] else { return #expect(Bool(false)) }
        #expect(essential.hasPrefix("\(lower["essential.plugin"]):9: [Plugin] Priority"))
        guard case .invalid(_, false)? = verdicts["broken"] else { return #expect(Bool(false)) }
        guard case .invalid(_, false)? = verdicts["folder"] else { return #expect(Bool(false)) }
        guard case .refused(_, let refusal)? = verdicts["runs"] else { return #expect(Bool(false)) }
        #expect(refusal.hasPrefix("/nowhere cannot be used"))
    }

    @Test func `the highest priority is chosen, equal ones are nobody`() throws {
        func manifest(_ name: String, _ provides: String, _ priority: Int) throws -> PluginManifest {
            try Self.read(
                "[Plugin]\nName=\(name)\nProvides=\(provides)\nPriority=\(priority)\n[Launch]\nExec=/x\n",
                name: name
            )
        }
        let (a, b, c) = (
            try manifest("a", "x.one x.two", 0), try manifest("b", "x.two x.three", 0), try manifest("c", "x.three", 5)
        )
        let table = ProviderTable([a, b, c])
        #expect(table.chosen == ["x.one": "a", "x.three": "c"])
        #expect(table.conflicts == ["x.two": ["a", "b"]])
        #expect(table.used(of: a) == ["x.one"])
        #expect(table.used(of: b) == [])
        #expect(table.conflict(of: b) == "x.two: not used, a and b have priority 0")
        #expect(table.conflict(of: c) == nil)
        #expect(table.complaints == ["x.two has providers of equal priority, so none is used: a, b"])
    }
}
