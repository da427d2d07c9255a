import Testing

@testable import supervisor

@Suite struct ConfigurationReloadTests {
    let root: ConfigurationDirectory

    init() throws {
        root = try ConfigurationDirectory()
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
        ("[Engine]\nSocket=/e", ["[Engine] Socket"]),
        ("[Applications]\nDataDirectory=/d", ["[Applications] DataDirectory"]),
        ("[Applications]\nLockDirectory=/l", ["[Applications] LockDirectory"]),
        ("[Plugins]\nSearchPath=/p", []),
        ("[API]\nInterfaces=lo", []),
        ("[API]\nMaxConnections=10", []),
        ("[API]\nPingRequiresKey=no", []),
        ("[Applications]\nTarget=/t", []),
        ("[Applications]\nPollIntervalSec=5", []),
        ("[API]\nPort=48484\n[Unknown]\na=b", []),
    ]

    @Test(arguments: restarts)
    func `a change says whether it needs a restart`(text: String, names: [String]) throws {
        let before = try root.load().configuration
        try root.write(text, to: "etc/supervisor.conf")
        let after = try root.load().configuration
        #expect(Configuration.changesNeedingRestart(from: before, to: after) == names)
        #expect(Configuration.changesNeedingRestart(from: after, to: before) == names)
        #expect(Configuration.changesNeedingRestart(from: after, to: after) == [])
    }

    @Test func `another engine that has come meanwhile is no change of the configuration`() throws {
        try root.write("", to: "podman.sock")
        let before = try root.load().configuration
        try root.write("", to: "docker.sock")
        let after = try root.load().configuration
        #expect(before.engineSocket != after.engineSocket)
        #expect(Configuration.changesNeedingRestart(from: before, to: after) == [])
    }
}
