/// `%XX` in paths, queries and forms (RFC 3986, section 2.1).
package enum PercentEncoding {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// Letters, digits, "-", "." and "_" stay as they are, and so do the characters in `kept`.
    package static func encode(_ text: some StringProtocol, keeping kept: StaticString = "") -> String {
        kept.withUTF8Buffer { kept in
            var bytes: [UInt8] = []
            for byte in text.utf8 {
                switch byte {
                case _ where byte.isASCIILetter || byte.isASCIIDigit,
                    UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    _ where kept.contains(byte):
                    bytes.append(byte)
                default:
                    bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Decodes `%XX`, and `+` as a space, as forms and queries have it, where `plusIsSpace` says so.
    ///
    /// nil for a `%` without two hex digits after it, and for bytes that are not UTF-8.
    package static func decode(_ encoded: some Sequence<UInt8>, plusIsSpace: Bool) -> String? {
        // An array of known type is ten times as fast as a sequence of any.
        decode(Array(encoded), plusIsSpace: plusIsSpace)
    }

    private static func decode(_ encoded: [UInt8], plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(encoded.count)
        var iterator = encoded.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next()?.hexDigitValue, let low = iterator.next()?.hexDigitValue else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
            default:
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
