internal import JSON
internal import SupervisorCore

extension RegistryCredentials {
    /// The value of the header X-Registry-Auth: JSON in the URL-safe Base64 of RFC 4648, section 5, with its padding.
    var headerValue: String {
        let document: JSONValue = [
            "username": .string(username),
            "password": .string(password),
            "serveraddress": .string(RegistryHost(image: registry + "/").serverAddress),
        ]
        return Base64URL.encode(document.encoded())
    }
}

enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            bits <<= 8 * UInt32(3 - group.count)
            for position in 0..<4 {
                let index = Int(bits >> (18 - 6 * UInt32(position))) & 63
                text.append(position <= group.count ? alphabet[index] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
