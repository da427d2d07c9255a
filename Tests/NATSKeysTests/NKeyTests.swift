import Testing

@testable import NATSKeys

/// The bytes that a hexadecimal text stands for.
func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

@Suite("A key of NATS")
struct NKeyTests {
    struct Vector: Sendable {
        var (seed, key, message, signature): (String, String, String, String)
    }

    /// RFC 8032, section 7.1.
    static let vectors = [
        Vector(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            message: "",
            signature:
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        Vector(
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            message: "72",
            signature:
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        Vector(
            seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            message: "af82",
            signature:
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    @Test("signs as RFC 8032 says", arguments: vectors)
    func signs(vector: Vector) throws {
        let key = try NKey(kind: .user, rawSeed: bytes(vector.seed))
        #expect(Base32.decode(key.publicKey.utf8)?[1..<33].elementsEqual(bytes(vector.key)) == true)
        let signature = key.sign(bytes(vector.message))
        #expect(signature == bytes(vector.signature))
        #expect(NKey.verify(signature: signature, of: bytes(vector.message), publicKey: key.publicKey))
        var wrong = signature
        wrong[63] ^= 1
        #expect(!NKey.verify(signature: wrong, of: bytes(vector.message), publicKey: key.publicKey))
        #expect(!NKey.verify(signature: signature, of: bytes(vector.message) + [0], publicKey: key.publicKey))
        #expect(!NKey.verify(signature: signature.dropLast(), of: bytes(vector.message), publicKey: key.publicKey))
    }

    @Test("is read from the seed of the manual of NATS")
    func reads() throws {
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
        let key = try NKey(seed: seed)
        #expect(key.kind == .user)
        #expect(key.publicKey == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4")
        #expect(key.seed == seed)
    }

    @Test("comes back from its seed, whatever its kind", arguments: NKey.Kind.allCases)
    func comesBack(kind: NKey.Kind) throws {
        let key = NKey.generate(kind)
        let again = try NKey(seed: key.seed)
        #expect(again.kind == kind)
        #expect(again.publicKey == key.publicKey)
        #expect(key.publicKey.first == ["O", "A", "U"][NKey.Kind.allCases.firstIndex(of: kind)!])
        for other in NKey.Kind.allCases {
            #expect(NKey.isPublicKey(key.publicKey, of: other) == (other == kind))
        }
        #expect(NKey.generate(kind).publicKey != key.publicKey)
    }

    @Test(
        "is not read from anything else, and the error does not repeat it",
        arguments: [
            "", "SU", "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VA",
            "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3V",
            "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VYA",
            "suacssl3uahudxkfsnvuzrf5uhpmwz6bfdtj7m6usdxiednppqyyycu3vy",
            "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3é",
            "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4", String(repeating: "A", count: 100_000),
        ]
    )
    func refuses(text: String) {
        let error = #expect(throws: NKeyError.self) { try NKey(seed: text) }
        #expect(text.isEmpty || error?.message.contains(text) == false)
        #expect(!NKey.isPublicKey(text, of: .account))
    }

    @Test("does not show its secret half")
    func hides() {
        let key = NKey.generate(.user)
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), dumped] {
            #expect(!text.contains(key.seed.dropFirst(4).prefix(20)))
        }
        #expect(dumped.contains(key.publicKey))
        #expect(!dumped.contains("rawSeed"))
    }

    @Test("base32 comes back for every length, and refuses bits left over")
    func base32() {
        for count in 0...40 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            #expect(Base32.decode(Base32.encode(bytes).utf8) == bytes)
        }
        #expect(Base32.encode(Array("foobar".utf8)) == "MZXW6YTBOI")
        #expect(Base32.decode("MZXW6YTBOJ".utf8) == nil)
        #expect(Base32.decode("A".utf8) == nil)
    }
}
