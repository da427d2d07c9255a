import LinuxSupport
import Testing

struct TextEncodingTests {
    @Test(
        arguments: [
            ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"), ("Pz8/", "???"), ("Pj4+", ">>>"),
            ("Zg=", nil), ("Zg", nil), ("Z", nil), ("Zg===", nil), ("=", nil), ("====", nil), ("Zh==", nil),
            ("Zm9=", nil), ("Zm9v\n", nil), ("Zm 9", nil), ("Zm9v====", nil), ("Zg==Zg==", nil), ("Pz8_", nil),
            ("Pj4-", nil), ("Zm9ä", nil),
        ] as [(String, String?)]
    )
    func `Base64 is taken to the letter`(text: String, expected: String?) {
        let decoded = Base64.decode(text).map { String(decoding: $0, as: UTF8.self) }
        #expect(decoded == expected)
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("???", "Pz8_"), (">>>", "Pj4-")])
    func `Base64 for URLs has an alphabet of its own`(text: String, expected: String) {
        #expect(Base64.encodeURLSafe(Array(text.utf8)) == expected)
    }

    @Test(arguments: [("main", "main"), ("a b/ä&", "a%20b%2F%C3%A4%26"), ("\n", "%0A"), ("a~:@", "a%7E%3A%40")])
    func `a value of a query is encoded`(value: String, encoded: String) {
        #expect(PercentEncoding.encode(value) == encoded)
        #expect(PercentEncoding.decode(encoded.utf8, plusIsSpace: false) == value)
    }

    @Test func `characters that the caller names stay as they are`() {
        #expect(PercentEncoding.encode("a~:@/", keeping: "~:@") == "a~:@%2F")
    }

    @Test(
        arguments: [
            ("a+b", "a+b", "a b"), ("%2b+", "++", "+ "), ("%c3%A4", "ä", "ä"), ("%", nil, nil), ("%4", nil, nil),
            ("%4g", nil, nil), ("%C3", nil, nil), ("%%41", nil, nil),
        ] as [(String, String?, String?)]
    )
    func `what is encoded is decoded, or refused`(text: String, plain: String?, form: String?) {
        #expect(PercentEncoding.decode(text.utf8, plusIsSpace: false) == plain)
        #expect(PercentEncoding.decode(text.utf8, plusIsSpace: true) == form)
    }

    @Test func `each byte is of the class that its ASCII character is of`() {
        for byte in UInt8.min...UInt8.max {
            let scalar = Unicode.Scalar(byte)
            let isASCII = byte < 0x80
            #expect(byte.isASCIIDigit == ("0"..."9" ~= scalar))
            #expect(byte.isASCIILetter == (isASCII && scalar.properties.isAlphabetic))
            #expect(byte.isLowercaseHexDigit == ("0"..."9" ~= scalar || "a"..."f" ~= scalar))
            let value = isASCII ? Character(scalar).hexDigitValue : nil
            #expect(byte.hexDigitValue.map(Int.init) == value)
        }
        #expect("0123456789".utf8.isDecimal)
        #expect(!"".utf8.isDecimal)
        #expect(!"1a".utf8.isDecimal)
    }
}
