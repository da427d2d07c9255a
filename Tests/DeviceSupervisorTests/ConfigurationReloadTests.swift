import JSON
import Testing

@testable import device_supervisor

@Suite struct ConfigurationReloadTests {
    let root: ConfigurationDirectory

    init() throws {
        root = ConfigurationDirectory()
    }

    static let restarts: [(String, [String])] = [
        ("[Supervisor]\nRuntimeDirectory=/r", ["[Supervisor] RuntimeDirectory"]),
        (
            "[Supervisor]\nStateDirectory=/s",
            ["[Supervisor] StateDirectory", "[Applications] DataDirectory"]
        ),
        ("[Device]\nDeviceType=other", []),
        ("[Device]\nUUID=0123456789abcdef0123456789abcdef", ["[Device] UUID"]),
        ("[API]\nPort=80", ["[API] Port"]),
        ("[API]\nUplinkUser=cloud", ["[API] UplinkUser"]),
        ("[Engine]\nSocket=/e", ["[Engine] Socket"]),
        ("[Applications]\nDataDirectory=/d", ["[Applications] DataDirectory"]),
        ("[Applications]\nLockDirectory=/l", ["[Applications] LockDirectory"]),
        ("[Plugins]\nSearchPath=/p", []),
        ("[API]\nInterfaces=lo", []),
        ("[API]\nMaxConnections=10", []),
        ("[API]\nPingRequiresKey=no", []),
        ("[API]\nReportedVersion=1.2.3", []),
        ("[Applications]\nTarget=/t", []),
        ("[Applications]\nPollIntervalSec=5", []),
        ("[API]\nPort=48484\n[Unknown]\na=b", []),
    ]

    @Test(arguments: restarts)
    func `a change says whether it needs a restart`(text: String, names: [String]) throws {
        let before = try root.load().configuration
        root.write(text, to: "etc/device-supervisor.conf")
        let after = try root.load().configuration
        #expect(Configuration.changesNeedingRestart(from: before, to: after) == names)
        #expect(Configuration.changesNeedingRestart(from: after, to: before) == names)
        #expect(Configuration.changesNeedingRestart(from: after, to: after) == [])
    }

    @Test func `another engine that has come meanwhile is no change of the configuration`() throws {
        root.write("", to: "podman.sock")
        let before = try root.load().configuration
        root.write("", to: "docker.sock")
        let after = try root.load().configuration
        #expect(before.engineSocket != after.engineSocket)
        #expect(Configuration.changesNeedingRestart(from: before, to: after) == [])
    }
}

@Suite struct ConfigurationReportTests {
    let root: ConfigurationDirectory

    init() throws {
        root = ConfigurationDirectory()
    }

    /// By "[Section] Key".
    private func entries(_ inForce: Configuration, _ latest: Configuration) -> [String: JSONValue] {
        let report = ConfigurationReport(inForce: inForce, latest: latest, uuid: "abc").json().arrayValue ?? []
        return Dictionary(
            report.map { ("[\($0["section"]?.stringValue ?? "")] \($0["key"]?.stringValue ?? "")", $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    @Test func `every key is told, with its default where nothing says otherwise`() throws {
        let configuration = try root.load().configuration
        let entries = entries(configuration, configuration)
        let known = ConfigurationReader.keys.flatMap { section, keys in keys.map { "[\(section)] \($0)" } }
        #expect(Set(entries.keys) == Set(known))
        #expect(entries["[API] Port"]?["value"] == "48484")
        #expect(entries["[API] Port"]?["source"] == "default")
        #expect(entries["[Device] UUID"]?["value"] == "abc")
        #expect(entries["[Device] UUID"]?["source"] == "kept in /var/lib/device-supervisor")
        #expect(entries["[API] PingRequiresKey"]?["value"] == "yes")
        #expect(entries["[Applications] PollIntervalSec"]?["value"] == "60")
    }

    @Test func `a value in force is told with its line, and beside it what waits for a restart`() throws {
        root.write("[API]\nPort=80\nInterfaces=lo\nInterfaces=eth0\n", to: "etc/device-supervisor.conf")
        var configuration = try root.load().configuration
        root.write("[API]\n\nPort=81\nInterfaces=\nMaxConnections=9\n", to: "etc/device-supervisor.conf")
        let latest = try root.load().configuration
        #expect(configuration.apply(latest) == ["[API] Port"])
        let entries = entries(configuration, latest)
        let file = "\(root.path)/etc/device-supervisor.conf"
        #expect(entries["[API] Port"]?["value"] == "80")
        #expect(entries["[API] Port"]?["source"] == .string("\(file):2"))
        #expect(entries["[API] Port"]?["afterRestart"] == ["value": "81", "source": .string("\(file):3")])
        #expect(entries["[API] Interfaces"]?["value"] == "")
        #expect(entries["[API] Interfaces"]?["source"] == .string("\(file):4"))
        #expect(entries["[API] MaxConnections"]?["locations"] == [["file": .string(file), "line": 5]])
        #expect(entries["[API] MaxConnections"]?["afterRestart"] == .null)
    }
}
