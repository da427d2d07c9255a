import Testing
import UnitFile

@testable import device_supervisor

@Suite struct ConfigurationTests {
    let root: ConfigurationDirectory

    init() throws {
        root = ConfigurationDirectory()
    }

    private func load(_ text: String) throws -> (configuration: Configuration, warnings: [String]) {
        root.write(text, to: "etc/device-supervisor.conf")
        return try root.load()
    }

    // MARK: Defaults

    @Test func `without a file everything has its default`() throws {
        let (configuration, warnings) = try root.load()
        #expect(warnings == [])
        #expect(
            configuration
                == Configuration(
                    stateDirectory: "/var/lib/device-supervisor",
                    runtimeDirectory: "/run/device-supervisor",
                    deviceType: "generic",
                    uuid: nil,
                    port: 48484,
                    interfaces: ["lo", "docker0", "apps", "resin-vpn", "tun0"],
                    maxConnections: 512,
                    pingRequiresKey: true,
                    uplinkUser: "supervisor-uplink",
                    reportedVersion: "6.6.11",
                    engineSocket: "\(root.path)/docker.sock",
                    engineSocketIsGiven: false,
                    target: "/var/lib/device-supervisor/apps.json",
                    cloudTarget: "/var/lib/supervisor-uplink/target/target.json",
                    dataDirectory: "/var/lib/device-supervisor/data",
                    lockDirectory: "/run/device-supervisor-locks",
                    pollInterval: .seconds(60),
                    pluginSearchPath: [
                        "/etc/device-supervisor/plugins.d",
                        "/run/device-supervisor/plugins.d",
                        "/usr/local/lib/device-supervisor/plugins.d",
                        "/usr/lib/device-supervisor/plugins.d",
                    ]
                )
        )
    }

    @Test func `the program looks where the documentation says`() {
        #expect(
            Configuration.searchPath.directories
                == [
                    "/etc/device-supervisor", "/run/device-supervisor", "/usr/local/lib/device-supervisor",
                    "/usr/lib/device-supervisor",
                ]
        )
        let defaults = ConfigurationDefaults()
        #expect(defaults.deviceTypeFile == "/etc/device-supervisor/device-type")
        #expect(
            defaults.engineSockets
                == ["/var/run/docker.sock", "/var/run/balena-engine.sock", "/run/podman/podman.sock"]
        )
    }

    @Test func `target and data lie in the state directory unless they are given`() throws {
        let moved = try load("[Supervisor]\nStateDirectory=/data/supervisor/").configuration
        #expect(moved.stateDirectory == "/data/supervisor")
        #expect(moved.target == "/data/supervisor/apps.json")
        #expect(moved.dataDirectory == "/data/supervisor/data")
        let given = try load("[Supervisor]\nStateDirectory=/s\n[Applications]\nTarget=/t.json\nDataDirectory=/d")
        #expect(given.configuration.target == "/t.json")
        #expect(given.configuration.dataDirectory == "/d")
    }

    @Test func `the engine is the first whose socket is there, else the first of all`() throws {
        root.write("", to: "podman.sock")
        #expect(try root.load().configuration.engineSocket == "\(root.path)/podman.sock")
        root.write("", to: "balena.sock")
        #expect(try root.load().configuration.engineSocket == "\(root.path)/balena.sock")
        let given = try load("[Engine]\nSocket=/run/other.sock").configuration
        #expect(given.engineSocket == "/run/other.sock")
        #expect(given.engineSocketIsGiven)
    }

    @Test(arguments: [
        ("raspberrypi3\n", "raspberrypi3"),
        ("  intel-nuc \r\nmore\n", "intel-nuc"),
        ("qemu_x86.64", "qemu_x86.64"),
        ("", "generic"),
        ("\nraspberrypi3\n", "generic"),
    ])
    func `the device type is the first line of its file`(text: String, type: String) throws {
        root.write(text, to: "etc/device-type")
        #expect(try root.load().configuration.deviceType == type)
    }

    @Test func `a device type in the configuration goes before the file's, whatever that holds`() throws {
        root.write("bad type", to: "etc/device-type")
        #expect(try load("[Device]\nDeviceType=generic-amd64").configuration.deviceType == "generic-amd64")
    }

    @Test(arguments: [
        "raspberry pi", "a/b", String(repeating: "x", count: 65), String(repeating: "x", count: 1000), "ü",
    ])
    func `a device-type file without a device type is an error`(text: String) throws {
        let path = root.write(text, to: "etc/device-type")
        let error = #expect(throws: ConfigurationError.self) { try root.load() }
        #expect(error?.message.hasPrefix("\(path):1: [Device] DeviceType: ") == true)
    }

    // MARK: Values

    @Test func `every key is read`() throws {
        var (configuration, warnings) = try load(
            """
            [Supervisor]
            StateDirectory=/s
            RuntimeDirectory=/r
            [Device]
            DeviceType=board
            UUID=0123456789ABCDEF0123456789abcdef
            [API]
            Port=8080
            Interfaces=lo "br0"
            Interfaces=eth0 lo
            MaxConnections=64
            PingRequiresKey=no
            UplinkUser=cloud
            ReportedVersion=10.2.3
            [Engine]
            Socket=/e.sock
            [Applications]
            Target=/t.json
            CloudTarget=/c.json
            DataDirectory=/d
            LockDirectory=/l
            PollIntervalSec=1min 30s
            [Plugins]
            SearchPath=/p:/q/
            SearchPath=/o
            [Log]
            """
        )
        let file = "\(root.path)/etc/device-supervisor.conf"
        #expect(configuration.sources.count == 17)
        #expect(configuration.sources["[Supervisor] StateDirectory"]?.map(\.description) == ["\(file):2"])
        let search = configuration.sources["[Plugins] SearchPath"]?.map(\.line) ?? []
        #expect(search.count == 2 && search[1] == search[0] + 1, "a list has all of its lines")
        configuration.sources = [:]
        #expect(warnings == [])
        #expect(
            configuration
                == Configuration(
                    stateDirectory: "/s",
                    runtimeDirectory: "/r",
                    deviceType: "board",
                    uuid: "0123456789abcdef0123456789abcdef",
                    port: 8080,
                    interfaces: ["lo", "br0", "eth0"],
                    maxConnections: 64,
                    pingRequiresKey: false,
                    uplinkUser: "cloud",
                    reportedVersion: "10.2.3",
                    engineSocket: "/e.sock",
                    engineSocketIsGiven: true,
                    target: "/t.json",
                    cloudTarget: "/c.json",
                    dataDirectory: "/d",
                    lockDirectory: "/l",
                    pollInterval: .seconds(90),
                    pluginSearchPath: ["/p", "/q", "/o"]
                )
        )
    }

    @Test(arguments: [1, 65535]) func `a port at the end of its range is taken`(port: Int) throws {
        #expect(try load("[API]\nPort=\(port)").configuration.port == port)
    }

    @Test(arguments: [8, 10_000]) func `a limit of connections at the end of its range is taken`(limit: Int) throws {
        #expect(try load("[API]\nMaxConnections=\(limit)").configuration.maxConnections == limit)
    }

    @Test(
        arguments: [("1", .seconds(1)), ("86400", .seconds(86_400)), ("1d", .seconds(86_400))] as [(String, Duration)]
    )
    func `the poll interval is one second to one day`(text: String, value: Duration) throws {
        #expect(try load("[Applications]\nPollIntervalSec=\(text)").configuration.pollInterval == value)
    }

    /// Section, line, and the message after file and line.
    static let faults: [(String, String, String)] = [
        ("API", "Port=0", "[API] Port: 0 is out of range; allowed: 1 to 65535"),
        ("API", "Port=65536", "[API] Port: 65536 is out of range; allowed: 1 to 65535"),
        ("API", "Port=http", "[API] Port: \"http\" is not a whole number; allowed: 1 to 65535"),
        ("API", "MaxConnections=7", "[API] MaxConnections: 7 is out of range; allowed: 8 to 10000"),
        ("API", "MaxConnections=10001", "[API] MaxConnections: 10001 is out of range; allowed: 8 to 10000"),
        (
            "API", "UplinkUser=a b",
            "[API] UplinkUser: \"a b\" is not the name of a user; allowed: 1 to 32 letters, digits and characters of '-_.'"
        ),
        (
            "API", "PingRequiresKey=maybe",
            "[API] PingRequiresKey: \"maybe\" is neither yes nor no; "
                + "allowed: yes, no, true, false, on, off, 1, 0"
        ),
        (
            "API", "ReportedVersion=v10.2",
            "[API] ReportedVersion: \"v10.2\" is not a version; allowed: three numbers such as 6.6.11"
        ),
        (
            "API", "ReportedVersion=1.02.3",
            "[API] ReportedVersion: \"1.02.3\" is not a version; allowed: three numbers such as 6.6.11"
        ),
        (
            "API", "Interfaces=lo eth*",
            "[API] Interfaces: \"eth*\" is not an interface; allowed: names of interfaces (1 to 15 characters), apps, *"
        ),
        (
            "API", "Interfaces=0123456789abcdef",
            "[API] Interfaces: \"0123456789abcdef\" is not an interface; "
                + "allowed: names of interfaces (1 to 15 characters), apps, *"
        ),
        (
            "API", "Interfaces=\"lo",
            "[API] Interfaces: a quote is not closed; "
                + "allowed: items separated by white space; an item with white space in it must be quoted"
        ),
        (
            "Applications", "PollIntervalSec=0",
            "[Applications] PollIntervalSec: \"0\" is out of range; allowed: 1s to 1d"
        ),
        (
            "Applications", "PollIntervalSec=2d",
            "[Applications] PollIntervalSec: \"2d\" is out of range; allowed: 1s to 1d"
        ),
        (
            "Applications", "PollIntervalSec=soon",
            "[Applications] PollIntervalSec: \"soon\" is not a time span such as 90, 5s or 1min 30s; allowed: 1s to 1d"
        ),
        (
            "Applications", "Target=apps.json",
            "[Applications] Target: \"apps.json\" is not an absolute path; allowed: an absolute path"
        ),
        (
            "Applications", "DataDirectory=~/data",
            "[Applications] DataDirectory: \"~/data\" is not an absolute path; allowed: an absolute path"
        ),
        (
            "Applications", "LockDirectory=/run/../etc",
            "[Applications] LockDirectory: \"/run/../etc\" contains '.' or '..'; allowed: an absolute path"
        ),
        (
            "Supervisor", "StateDirectory=var/lib",
            "[Supervisor] StateDirectory: \"var/lib\" is not an absolute path; allowed: an absolute path"
        ),
        (
            "Supervisor", "RuntimeDirectory=/\(String(repeating: "r", count: 94))",
            "[Supervisor] RuntimeDirectory: the path is too long; allowed: an absolute path of at most 94 bytes"
        ),
        (
            "Engine", "Socket=/\(String(repeating: "s", count: 107))",
            "[Engine] Socket: the path is too long; allowed: an absolute path of at most 107 bytes"
        ),
        (
            "Engine", "Socket=unix:///run/docker.sock",
            "[Engine] Socket: \"unix:///run/docker.sock\" is not an absolute path; allowed: an absolute path"
        ),
        (
            "Device", "UUID=0123456789abcdef0123456789abcde",
            "[Device] UUID: \"0123456789abcdef0123456789abcde\" is not a UUID; "
                + "allowed: 32 hexadecimal digits without hyphens"
        ),
        (
            "Device", "UUID=0123456789abcdef0123456789abcdeg",
            "[Device] UUID: \"0123456789abcdef0123456789abcdeg\" is not a UUID; "
                + "allowed: 32 hexadecimal digits without hyphens"
        ),
        (
            "Device", "DeviceType=raspberry pi",
            "[Device] DeviceType: \"raspberry pi\" is not a device type; "
                + "allowed: up to 64 letters, digits and characters of '-_.'"
        ),
        (
            "Plugins", "SearchPath=/a::/b",
            "[Plugins] SearchPath: \"\" is not an absolute path; allowed: absolute paths, separated by ':'"
        ),
        (
            "Plugins", "SearchPath=/a:b",
            "[Plugins] SearchPath: \"b\" is not an absolute path; allowed: absolute paths, separated by ':'"
        ),
    ]

    @Test(arguments: faults)
    func `a bad value stops with file, line, key and what is allowed`(
        section: String,
        line: String,
        message: String
    ) throws {
        let path = root.write("# A comment.\n[\(section)]\n\(line)\n", to: "etc/device-supervisor.conf")
        let error = #expect(throws: ConfigurationError.self) { try root.load() }
        #expect(error?.message == "\(path):3: \(message)")
    }

    @Test func `a file that is no unit file stops with file and line`() throws {
        let path = root.write("[API]\nPort 80\n", to: "etc/device-supervisor.conf")
        let error = #expect(throws: ConfigurationError.self) { try root.load() }
        #expect(error?.message == "\(path):2: expected [SECTION], KEY=VALUE or a comment")
    }

    @Test func `an empty value asks for the default`() throws {
        let text = "[API]\nPort=80\nPort=\nPingRequiresKey=\n[Device]\nUUID=\n[Applications]\nTarget="
        let (configuration, warnings) = try load(text)
        #expect(configuration.port == 48484)
        #expect(configuration.pingRequiresKey)
        #expect(configuration.uuid == nil)
        #expect(configuration.target == "/var/lib/device-supervisor/apps.json")
        #expect(warnings == [])
    }

    @Test func `all interfaces are meant by a star and none by an empty list, which warns`() throws {
        #expect(try load("[API]\nInterfaces=*").configuration.interfaces == ["*"])
        #expect(try load("[API]\nInterfaces=eth0\nInterfaces=\nInterfaces=lo").configuration.interfaces == ["lo"])
        let (configuration, warnings) = try load("[API]\nInterfaces=lo\nInterfaces=")
        #expect(configuration.interfaces == [])
        #expect(
            warnings == [
                "\(root.path)/etc/device-supervisor.conf:3: [API] Interfaces: the list is empty, so the API is not reachable"
            ]
        )
    }

    // MARK: Files

    @Test func `unknown keys and sections warn with file and line and change nothing`() throws {
        root.write("[Api]\nPort=1\n[API]\nport=2\n[X-Vendor]\na=b\n", to: "usr/device-supervisor.conf")
        root.write("[Log]\nLevel=debug\n[API]\nX-Note=hello\n", to: "run/device-supervisor.conf.d/10.conf")
        let (configuration, warnings) = try root.load()
        #expect(configuration.port == 48484)
        #expect(
            warnings == [
                "\(root.path)/usr/device-supervisor.conf:1: [Api]: unknown section, ignored",
                "\(root.path)/usr/device-supervisor.conf:4: [API] port: unknown key, ignored",
                "\(root.path)/run/device-supervisor.conf.d/10.conf:2: [Log] Level: unknown key, ignored",
            ]
        )
    }

    @Test func `the file further up replaces and drop-ins are merged over it`() throws {
        root.write("[API]\nPort=1\nMaxConnections=10", to: "usr/device-supervisor.conf")
        root.write("[API]\nPort=2", to: "run/device-supervisor.conf")
        root.write("[Applications]\nPollIntervalSec=5", to: "usr/device-supervisor.conf.d/10.conf")
        root.write("[API]\nPort=3", to: "etc/device-supervisor.conf.d/20.conf")
        let configuration = try root.load().configuration
        #expect(configuration.port == 3)
        #expect(configuration.maxConnections == 512)
        #expect(configuration.pollInterval == .seconds(5))
    }

    @Test func `a bad value in a drop-in is reported where it is`() throws {
        root.write("[API]\nPort=1", to: "usr/device-supervisor.conf")
        let path = root.write("[API]\n\nPort=x", to: "etc/device-supervisor.conf.d/20.conf")
        let error = #expect(throws: ConfigurationError.self) { try root.load() }
        #expect(error?.message.hasPrefix("\(path):3: [API] Port: ") == true)
    }

    @Test func `with a file given only it and its drop-ins are read`() throws {
        root.write("[API]\nPort=1\nMaxConnections=10", to: "etc/device-supervisor.conf")
        root.write("[API]\nMaxConnections=11", to: "etc/device-supervisor.conf.d/10.conf")
        let file = root.write("[API]\nPort=2", to: "elsewhere/my.conf")
        #expect(try root.load(file: file).configuration.port == 2)
        #expect(try root.load(file: file).configuration.maxConnections == 512)
        root.write("[API]\nMaxConnections=12", to: "elsewhere/my.conf.d/10.conf")
        #expect(try root.load(file: file).configuration.maxConnections == 12)
    }

    @Test(arguments: ["nowhere.conf", "nowhere/my.conf"])
    func `a file that is given must be there`(name: String) throws {
        let file = "\(root.path)/\(name)"
        let error = #expect(throws: ConfigurationError.self) { try root.load(file: file) }
        #expect(error?.message == "\(file): cannot be read: No such file or directory")
    }

    @Test func `the null device as file means defaults`() throws {
        root.write("[API]\nPort=1", to: "etc/device-supervisor.conf")
        #expect(try root.load(file: "/dev/null").configuration.port == 48484)
    }
}
