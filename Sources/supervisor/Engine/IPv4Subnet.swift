/// An IPv4 address, with or without the length of its network's prefix, in the usual notation.
struct IPv4Subnet: Sendable, Hashable {
    private let bits: UInt32
    /// 32 where none was written.
    let prefixLength: Int

    /// nil for anything that is not four decimal numbers, and perhaps "/" and one from 0 to 32.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let numbers = (parts.first ?? "").split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 4, parts.count <= 2 else { return nil }
        var bits: UInt32 = 0
        for number in numbers {
            guard let byte = Self.number(number, upTo: 255) else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        var length = 32
        if parts.count == 2 {
            guard let written = Self.number(parts[1], upTo: 32) else { return nil }
            length = written
        }
        self.bits = bits
        prefixLength = length
    }

    /// Without the prefix length.
    var address: String { Self.text(bits) }

    /// The first address of the network that a host can have; nil where there is no room for one.
    var firstHost: String? {
        guard prefixLength < 32 else { return nil }
        let mask: UInt32 = prefixLength == 0 ? 0 : ~0 << (32 - UInt32(prefixLength))
        return Self.text((bits & mask) + 1)
    }

    private static func number(_ text: Substring, upTo limit: Int) -> Int? {
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(text), number <= limit
        else { return nil }
        return number
    }

    private static func text(_ bits: UInt32) -> String {
        [24, 16, 8, 0].map { String(bits >> $0 & 255) }.joined(separator: ".")
    }
}
