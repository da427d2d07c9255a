/// IPv4 addresses and subnets as text.
public enum IPv4Network {
    /// Four plain decimal numbers up to 255, without leading zeros, which some readers take for octal.
    public static func isAddress(_ text: String) -> Bool {
        isAddress(text[...])
    }

    private static func isAddress(_ text: Substring) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { isNumber($0, upTo: 255) }
    }

    /// An address, or an address with a prefix length of 0 to 32.
    public static func isValid(_ text: String) -> Bool {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return isAddress(text) }
        return isAddress(text[..<slash]) && isNumber(text[...].utf8[text.utf8.index(after: slash)...], upTo: 32)
    }

    private static func isNumber(_ digits: Substring.UTF8View, upTo limit: Int) -> Bool {
        guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return value <= limit && (digits.count == 1 || digits.first != 0x30)
    }
}
