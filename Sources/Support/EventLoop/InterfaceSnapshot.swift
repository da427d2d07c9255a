import CLinux
import Glibc
import SupervisorPorts

/// A network interface of the machine at one moment.
public struct NetworkInterface: Sendable, Hashable {
    public var name: String
    /// Unique while the interface lives; an interface that is recreated has another.
    public var index: UInt32
    /// IFF_UP of netdevice(7): switched on, with or without a link.
    public var isUp: Bool
    /// Dotted decimals.
    public var ipv4Addresses: [String]
    /// Without the scope.
    public var ipv6Addresses: [String]

    public init(
        name: String,
        index: UInt32,
        isUp: Bool,
        ipv4Addresses: [String] = [],
        ipv6Addresses: [String] = []
    ) {
        self.name = name
        self.index = index
        self.isUp = isUp
        self.ipv4Addresses = ipv4Addresses
        self.ipv6Addresses = ipv6Addresses
    }
}

/// All network interfaces of the machine at one moment, in the order of their indices.
public struct InterfaceSnapshot: Sendable, Hashable {
    public var interfaces: [NetworkInterface]

    public init(_ interfaces: [NetworkInterface] = []) {
        self.interfaces = interfaces.sorted { $0.index < $1.index }
    }

    /// Asks the kernel: if_nameindex(3) for the interfaces, getifaddrs(3) for flags and addresses. Interfaces that
    /// cannot be read are left out.
    public static func read() -> InterfaceSnapshot {
        var found: [String: NetworkInterface] = [:]
        if let list = if_nameindex() {
            defer { if_freenameindex(list) }
            var entry = list
            while entry.pointee.if_index != 0, let name = entry.pointee.if_name {
                let name = String(cString: name)
                found[name] = NetworkInterface(name: name, index: entry.pointee.if_index, isUp: false)
                entry += 1
            }
        }
        var first: UnsafeMutablePointer<ifaddrs>?
        if getifaddrs(&first) == 0 {
            defer { freeifaddrs(first) }
            var next = first
            while let entry = next?.pointee {
                next = entry.ifa_next
                // An address with a label, "eth0:1", belongs to eth0.
                let name = String(cString: entry.ifa_name).prefix { $0 != ":" }
                found[String(name)]?.add(entry)
            }
        }
        return InterfaceSnapshot(Array(found.values))
    }

    /// What the device reports as its addresses: the IPv4 ones of interfaces that are up, without the loopback, those
    /// of containers and virtual machines, and those of VPNs; separated by spaces.
    public var deviceAddresses: String {
        let addresses = interfaces.filter { $0.isUp && !Self.isInternal($0.name) }.flatMap(\.ipv4Addresses)
        var seen: Set<String> = []
        return addresses.filter { seen.insert($0).inserted }.joined(separator: " ")
    }

    private static func isInternal(_ name: String) -> Bool {
        let prefixes = [
            "docker", "balena", "veth", "tun", "resin", AppBridge.prefix, "virbr", "podman", "cni",
        ]
        return name == "lo" || isNetworkBridge(name) || prefixes.contains { name.hasPrefix($0) }
    }

    /// Docker calls the bridge of a network `br-` and 12 hexadecimal digits. Other names, such as br-lan, are the host's.
    private static func isNetworkBridge(_ name: String) -> Bool {
        let digits = name.utf8.dropFirst(3)
        return name.utf8.starts(with: "br-".utf8) && digits.count == 12
            && digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

extension NetworkInterface {
    /// - Parameter entry: of getifaddrs(3), one per address and one per interface.
    fileprivate mutating func add(_ entry: ifaddrs) {
        isUp = entry.ifa_flags & UInt32(IFF_UP) != 0
        guard let address = entry.ifa_addr else { return }
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            if let text = Self.text(address, size: MemoryLayout<sockaddr_in>.size) { ipv4Addresses.append(text) }
        case AF_INET6:
            if let text = Self.text(address, size: MemoryLayout<sockaddr_in6>.size) {
                ipv6Addresses.append(String(text.prefix { $0 != "%" }))
            }
        default:
            break
        }
    }

    private static func text(_ address: UnsafePointer<sockaddr>, size: Int) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = getnameinfo(
            address,
            socklen_t(size),
            &buffer,
            socklen_t(buffer.count),
            nil,
            0,
            NI_NUMERICHOST
        )
        guard code == 0 else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
