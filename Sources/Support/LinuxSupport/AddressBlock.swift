import Glibc

/// An IP address, or a block of them in CIDR notation (RFC 4632).
///
/// IPv4 is strict: four plain decimal numbers, without leading zeros, which some readers take for octal. IPv6 is in the
/// forms that inet_pton(3) takes.
package struct AddressBlock: Sendable, Hashable {
    /// 4 or 16 of them.
    private let bytes: [UInt8]
    /// That of a single address is all of its bits.
    package let prefixLength: Int

    /// Of an address in bytes: INET6_ADDRSTRLEN without its NUL.
    private static let maximumLength = 45

    /// An address, or an address, a slash and the length of a prefix.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maximumLength + "/128".utf8.count else { return nil }
        if text.utf8.contains(UInt8(ascii: "/")) { self.init(subnet: text) } else { self.init(address: text) }
    }

    /// nil for a text that is not a single address.
    package init?(address text: String) {
        self.init(text, prefixLength: nil)
    }

    /// nil for a text that is not an address, a slash and a prefix length.
    package init?(subnet text: String) {
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")),
            let length = Self.number(text[...].utf8[text.utf8.index(after: slash)...], upTo: 128)
        else { return nil }
        self.init(String(text[..<slash]), prefixLength: length)
    }

    private init?(_ text: String, prefixLength length: Int?) {
        guard text.utf8.count <= Self.maximumLength, let bytes = Self.ipv4(text) ?? Self.ipv6(text) else { return nil }
        let bits = bytes.count * 8
        guard (0...bits).contains(length ?? bits) else { return nil }
        self.bytes = bytes
        prefixLength = length ?? bits
    }

    private static func ipv4(_ text: String) -> [UInt8]? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { number($0, upTo: 255) }
        return parts.count == 4 && numbers.count == 4 ? numbers.map(UInt8.init) : nil
    }

    private static func ipv6(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        // A NUL would end what inet_pton(3) sees of it.
        return !text.utf8.contains(0) && inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
    }

    private static func number(_ digits: Substring.UTF8View, upTo limit: Int) -> Int? {
        guard digits.count <= 3, digits.isDecimal, digits.count == 1 || digits.first != UInt8(ascii: "0") else {
            return nil
        }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        return value <= limit ? value : nil
    }

    package var isIPv4: Bool { bytes.count == 4 }

    package func contains(_ other: AddressBlock) -> Bool {
        guard bytes.count == other.bytes.count, other.prefixLength >= prefixLength else { return false }
        return (0..<prefixLength).allSatisfy { bit in
            let mask: UInt8 = 0x80 >> (bit % 8)
            return bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
        }
    }

    /// Whether an address is in both.
    package func overlaps(_ other: AddressBlock) -> Bool { contains(other) || other.contains(self) }

    /// Of IPv4 the address without the prefix length; nil for IPv6.
    package var ipv4Address: String? { isIPv4 ? Self.text(bits) : nil }

    /// The first address of an IPv4 network that a host can have; nil where there is no room for one, and for IPv6.
    package var firstIPv4Host: String? {
        guard isIPv4, prefixLength < 32 else { return nil }
        let mask: UInt32 = prefixLength == 0 ? 0 : ~0 << (32 - UInt32(prefixLength))
        return Self.text((bits & mask) + 1)
    }

    private var bits: UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

    private static func text(_ bits: UInt32) -> String {
        [24, 16, 8, 0].map { String(bits >> $0 & 255) }.joined(separator: ".")
    }
}
