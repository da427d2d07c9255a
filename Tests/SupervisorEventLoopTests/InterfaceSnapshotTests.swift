import SupervisorEventLoop
import Testing

@Suite struct InterfaceSnapshotTests {
    private static func interface(_ name: String, _ index: UInt32, _ addresses: [String], isUp: Bool = true)
        -> NetworkInterface
    {
        NetworkInterface(name: name, index: index, isUp: isUp, ipv4Addresses: addresses, ipv6Addresses: ["fe80::1"])
    }

    @Test(
        "The device's addresses are those of its own interfaces, in their order, each once",
        arguments: [
            ([], ""),
            ([interface("lo", 1, ["127.0.0.1"])], ""),
            (
                [interface("wlan0", 3, ["10.42.0.3"]), interface("eth0", 2, ["192.168.0.114"])],
                "192.168.0.114 10.42.0.3"
            ),
            ([interface("eth0", 2, ["192.168.0.1", "192.168.0.2"])], "192.168.0.1 192.168.0.2"),
            ([interface("eth0", 2, ["192.168.0.1"]), interface("eth1", 3, ["192.168.0.1"])], "192.168.0.1"),
            ([interface("eth0", 2, ["192.168.0.1"], isUp: false), interface("eth1", 3, [])], ""),
            ([interface("br-lan", 2, ["10.0.0.1"]), interface("br-1234", 3, ["10.0.0.2"])], "10.0.0.1 10.0.0.2"),
            ([interface("lan-docker", 2, ["10.0.0.1"]), interface("br0", 3, ["10.0.0.2"])], "10.0.0.1 10.0.0.2"),
        ]
    )
    func deviceAddresses(_ interfaces: [NetworkInterface], _ expected: String) {
        #expect(InterfaceSnapshot(interfaces).deviceAddresses == expected)
    }

    @Test(
        "Interfaces of containers, virtual machines and VPNs are not the device's",
        arguments: [
            "lo", "docker0", "br-0123456789ab", "balena0", "veth12ab", "tun0", "resin-vpn", "resin0", "supervisor0",
            "virbr0",
            "podman0",
            "cni-podman0", "cni0",
        ]
    )
    func internalInterfaces(_ name: String) {
        #expect(InterfaceSnapshot([Self.interface(name, 2, ["10.0.0.1"])]).deviceAddresses == "")
    }

    @Test("The kernel is read: the loopback is there, up, with its address")
    func read() throws {
        let lo = try #require(InterfaceSnapshot.read().interfaces.first { $0.name == "lo" })
        #expect(lo.index == 1)
        #expect(lo.isUp)
        #expect(lo.ipv4Addresses.contains("127.0.0.1"))
    }
}
