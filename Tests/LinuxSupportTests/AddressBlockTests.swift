import LinuxSupport
import Testing

struct AddressBlockTests {
    @Test(arguments: [
        "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "1.2.3.+4", "1.2.3.4 ", "1.2.3.0x4", "1.2.3.4/",
        "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/2/3", "/8", "1.2.3.4\0", "::1\0", ":::", "::/129", "host",
    ])
    func `what is no address is none`(text: String) {
        #expect(AddressBlock(text) == nil)
    }

    @Test func `an address and a block are told apart`() {
        #expect(AddressBlock(address: "10.0.0.1")?.prefixLength == 32)
        #expect(AddressBlock(address: "10.0.0.0/8") == nil)
        #expect(AddressBlock(subnet: "10.0.0.0/8")?.prefixLength == 8)
        #expect(AddressBlock(subnet: "10.0.0.1") == nil)
        #expect(AddressBlock("fd00::/8")?.isIPv4 == false)
        #expect(AddressBlock("fd00::1")?.prefixLength == 128)
    }

    @Test(arguments: [
        ("10.1.0.0/16", "10.1.2.3", true), ("10.1.0.0/16", "10.2.0.0", false), ("0.0.0.0/0", "255.255.255.255", true),
        ("10.1.0.0/16", "10.1.0.0/15", false), ("10.1.0.0/16", "10.1.4.0/24", true), ("10.1.2.3", "10.1.2.3", true),
        ("fd00::/8", "fd12::1", true), ("fd00::/8", "fe80::1", false), ("0.0.0.0/0", "::1", false),
    ])
    func `a block contains what begins like it`(block: String, other: String, isInside: Bool) throws {
        #expect(try #require(AddressBlock(block)).contains(try #require(AddressBlock(other))) == isInside)
    }

    @Test(arguments: [
        ("172.17.0.0/16", "172.17.0.1"), ("172.17.5.9/16", "172.17.0.1"), ("10.0.0.4/30", "10.0.0.5"),
        ("0.0.0.0/0", "0.0.0.1"), ("10.0.0.1", nil), ("10.0.0.1/32", nil), ("fd00::/8", nil),
    ])
    func `the first host of a network follows the network's own address`(text: String, host: String?) throws {
        #expect(try #require(AddressBlock(text)).firstIPv4Host == host)
    }

    @Test func `an IPv4 address is written without its prefix`() {
        #expect(AddressBlock("172.18.0.1/16")?.ipv4Address == "172.18.0.1")
        #expect(AddressBlock("::1")?.ipv4Address == nil)
    }
}
