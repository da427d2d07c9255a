import Glibc

/// An IPv4 or IPv6 address, or a block of them in CIDR notation (RFC 4632), in the forms that inet_pton(3) takes.
struct AddressBlock: Sendable, Hashable {
    /// 4 or 16 of them.
    private let bytes: [UInt8]
    private let prefixLength: Int

    /// nil for what is no single address.
    init?(address text: String) {
        self.init(text, length: nil)
    }

    /// nil for what is no address, a slash and the length of a prefix.
    init?(subnet text: String) {
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let digits = text[text.index(after: slash)...]
        guard (1...3).contains(digits.utf8.count), let length = Int(digits),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        self.init(String(text[..<slash]), length: length)
    }

    private init?(_ text: String, length: Int?) {
        var buffer = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &buffer) == 1 {
            buffer.removeLast(12)
        } else if inet_pton(AF_INET6, text, &buffer) != 1 {
            return nil
        }
        let bits = buffer.count * 8
        guard (0...bits).contains(length ?? bits) else { return nil }
        bytes = buffer
        prefixLength = length ?? bits
    }

    var isIPv4: Bool { bytes.count == 4 }

    func contains(_ other: AddressBlock) -> Bool {
        guard bytes.count == other.bytes.count, other.prefixLength >= prefixLength else { return false }
        return (0..<prefixLength).allSatisfy { bit in
            let mask: UInt8 = 0x80 >> (bit % 8)
            return bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
        }
    }
}
