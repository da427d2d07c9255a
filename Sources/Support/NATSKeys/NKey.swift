import CEd25519

/// A key pair of NATS: Ed25519 (RFC 8032), written as the project nkeys does it. Neither its description nor its mirror
/// shows the secret half.
public struct NKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// What the key stands for: the first letter of its text.
    public enum Kind: UInt8, Sendable, CaseIterable {
        case operatorKey = 0x70
        case account = 0x00
        case user = 0xA0
    }

    public let kind: Kind
    /// 56 characters, beginning with O, A or U.
    public let publicKey: String
    private let rawSeed: [UInt8]
    private let privateKey: [UInt8]

    /// A new key of the system's random numbers.
    public static func generate(_ kind: Kind) -> NKey {
        var source = SystemRandomNumberGenerator()
        return NKey(kind, (0..<32).map { _ in source.next() })
    }

    /// - Parameter rawSeed: 32 bytes.
    public init(kind: Kind, rawSeed: [UInt8]) throws(NKeyError) {
        guard rawSeed.count == 32 else { throw NKeyError("the seed has \(rawSeed.count) bytes, 32 are needed") }
        self.init(kind, rawSeed)
    }

    /// - Parameter seed: 58 characters, beginning with SO, SA or SU.
    public init(seed: String) throws(NKeyError) {
        guard let bytes = Self.checked(seed, count: 36) else {
            throw NKeyError("this is not the seed of a key of NATS")
        }
        guard bytes[0] & 0xF8 == 0x90, let kind = Kind(rawValue: (bytes[0] & 7) << 5 | bytes[1] >> 3) else {
            throw NKeyError("this seed is of no operator, account or user")
        }
        self.init(kind, Array(bytes[2..<34]))
    }

    private init(_ kind: Kind, _ rawSeed: [UInt8]) {
        var publicBytes = [UInt8](repeating: 0, count: 32)
        var privateKey = [UInt8](repeating: 0, count: 64)
        ced25519_keypair(&publicBytes, &privateKey, rawSeed)
        self.kind = kind
        self.rawSeed = rawSeed
        self.privateKey = privateKey
        publicKey = Self.text([kind.rawValue] + publicBytes)
    }

    /// The secret half as text; `init(seed:)` reads it.
    public var seed: String {
        Self.text([0x90 | kind.rawValue >> 5, (kind.rawValue & 31) << 3] + rawSeed)
    }

    public var description: String { publicKey }
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }

    /// 64 bytes.
    public func sign(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let message = Array(bytes)
        var signature = [UInt8](repeating: 0, count: 64)
        let isSigned = ced25519_sign(&signature, message, message.count, privateKey)
        precondition(isSigned == 1, "memory is short")
        return signature
    }

    public static func isPublicKey(_ text: String, of kind: Kind) -> Bool {
        publicBytes(text)?.kind == kind
    }

    /// False for what is no public key as well.
    public static func verify(signature: [UInt8], of bytes: [UInt8], publicKey: String) -> Bool {
        guard let key = publicBytes(publicKey)?.bytes, signature.count == 64 else { return false }
        return ced25519_verify(bytes, bytes.count, signature, key) == 1
    }

    private static func publicBytes(_ text: String) -> (kind: Kind, bytes: [UInt8])? {
        guard let bytes = checked(text, count: 35), let kind = Kind(rawValue: bytes[0]) else { return nil }
        return (kind, Array(bytes[1..<33]))
    }

    /// The bytes of a key's text where they are `count`, the two of the checksum included, and the checksum is right.
    private static func checked(_ text: String, count: Int) -> [UInt8]? {
        guard text.utf8.count == (count * 8 + 4) / 5, let bytes = Base32.decode(text.utf8), bytes.count == count else {
            return nil
        }
        let sum = checksum(bytes.dropLast(2))
        return bytes[count - 2] == UInt8(sum & 0xFF) && bytes[count - 1] == UInt8(sum >> 8) ? bytes : nil
    }

    private static func text(_ bytes: [UInt8]) -> String {
        let sum = checksum(bytes)
        return Base32.encode(bytes + [UInt8(sum & 0xFF), UInt8(sum >> 8)])
    }

    /// CRC-16/XMODEM.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { sum, byte in
            (0..<8).reduce(sum ^ UInt16(byte) << 8) { sum, _ in sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
        }
    }
}
