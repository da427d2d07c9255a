import JSON
import LinuxSupport

/// A fingerprint of what a container was made from: 128-bit FNV-1a (RFC 9923) over length-prefixed parts, as 32 hex
/// digits. It detects a change; it protects nothing.
struct ConfigurationDigest {
    private var state: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D

    mutating func add(_ text: String) {
        add(Array(text.utf8))
    }

    /// Adds a value with the members of its objects in order of name, so that writing them in another order is no change.
    mutating func add(_ value: JSONValue) {
        add(value.sortedByName.encoded())
    }

    mutating func add(_ bytes: [UInt8]) {
        for shift in stride(from: 0, to: 64, by: 8) { mix(UInt8(truncatingIfNeeded: UInt64(bytes.count) >> shift)) }
        for byte in bytes { mix(byte) }
    }

    private mutating func mix(_ byte: UInt8) {
        state ^= UInt128(byte)
        state &*= 0x0000_0000_0100_0000_0000_0000_0000_013B
    }

    var text: String { FileSystem.hex(state) }
}

extension JSONValue {
    /// By the bytes of the names: Swift's order of strings takes some different names for equal.
    fileprivate var sortedByName: JSONValue {
        switch self {
        case .array(let values): .array(values.map(\.sortedByName))
        case .object(let object):
            .object(
                JSONObject(
                    object.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
                        .map { JSONObject.Member(name: $0.name, value: $0.value.sortedByName) }
                ) ?? object
            )
        default: self
        }
    }
}
