import LinuxSupport

/// IPv4 addresses and subnets as text.
public enum IPv4Network {
    /// Four plain decimal numbers up to 255, without leading zeros, which some readers take for octal.
    public static func isAddress(_ text: String) -> Bool { AddressBlock(address: text)?.isIPv4 == true }

    /// An address, or an address with a prefix length of 0 to 32.
    public static func isValid(_ text: String) -> Bool { AddressBlock(text)?.isIPv4 == true }
}
