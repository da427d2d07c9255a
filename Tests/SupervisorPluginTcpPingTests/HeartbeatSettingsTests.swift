import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_tcp_ping

struct HeartbeatSettingsTests {
    @Test(arguments: [
        ("api.example.com:443", "api.example.com", 443), ("1.2.3.4:1", "1.2.3.4", 1), ("[::1]:65535", "::1", 65535),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80), ("localhost:080", "localhost", 80), ("a_b:7", "a_b", 7),
    ])
    func `a host and a port are taken`(text: String, host: String, port: Int) throws {
        let target = try #require(PingTarget(text))
        #expect(target.host == host)
        #expect(Int(target.port) == port)
    }

    @Test(arguments: [
        "host", ":443", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host:http", "::1:80", "[::1]", "[]:80",
        "[host]:80", "[::1:80", "::1]:80", "ho st:80", "host\n:80", "host:80 ", "hö:80", "host/x:80", "u@host:80",
        "host:000080",
    ])
    func `anything else is refused`(text: String) {
        #expect(PingTarget(text) == nil)
        #expect(throws: PluginError(.invalidArgument, "Target is neither HOST:PORT nor [IPV6]:PORT")) {
            try HeartbeatSettings(["Target": text])
        }
    }

    @Test func `without a target there is nothing to do`() throws {
        #expect(try HeartbeatSettings([:]) == nil)
        #expect(try HeartbeatSettings(["Target": "", "IntervalSec": "5"]) == nil)
    }

    @Test func `the time is ten seconds each`() throws {
        let settings = try #require(try HeartbeatSettings(["Target": "a:1"]))
        #expect(settings.interval == .seconds(10))
        #expect(settings.timeout == .seconds(10))
        #expect(settings.vpnStatus == nil)
    }

    @Test(arguments: [
        ("IntervalSec", "0"), ("IntervalSec", "86401"), ("IntervalSec", "1.5"), ("IntervalSec", "-1"),
        ("TimeoutSec", "0"), ("TimeoutSec", "3601"), ("TimeoutSec", "10s"), ("VPNStatus", "relative"),
        ("VPNStatus", "/directory/"),
    ])
    func `a bad value is refused by its name`(name: String, value: String) {
        let error = #expect(throws: PluginError.self) { try HeartbeatSettings(["Target": "a:1", name: value]) }
        #expect(error?.reason == .invalidArgument)
        #expect(error?.message.hasPrefix(name) == true)
    }
}
