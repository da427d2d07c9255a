/// Text from outside is looked at byte by byte; these are the classes of bytes that its formats are made of.
extension UInt8 {
    /// "0" to "9".
    @inlinable package var isASCIIDigit: Bool { (0x30...0x39).contains(self) }

    /// "A" to "Z" and "a" to "z".
    @inlinable package var isASCIILetter: Bool { (0x61...0x7A).contains(self | 0x20) }

    /// "0" to "9" and "a" to "f", the digits of our own hexadecimal numbers.
    @inlinable package var isLowercaseHexDigit: Bool { isASCIIDigit || (0x61...0x66).contains(self) }

    /// "A" to "Z" in lower case; every other byte as it is.
    @inlinable package var lowercasedASCII: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }

    /// The value of a hexadecimal digit in either case; nil for every other byte.
    @inlinable package var hexDigitValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}

extension Collection where Element == UInt8 {
    /// Whether these are digits, one at least, and nothing else.
    @inlinable package var isDecimal: Bool { !isEmpty && allSatisfy(\.isASCIIDigit) }
}
