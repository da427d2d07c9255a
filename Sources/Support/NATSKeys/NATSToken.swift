public import JSON
import LinuxSupport

/// A JWT as NATS has them: the claims, signed with Ed25519 by an NKey.
public enum NATSToken {
    private static let header = #"{"typ":"JWT","alg":"ed25519-nkey"}"#

    /// The claims get the signer's key as "iss".
    public static func sign(_ claims: JSONObject, by key: NKey) -> String {
        var claims = claims
        claims["iss"] = .string(key.publicKey)
        let text = encode(Array(header.utf8)) + "." + encode(JSONValue.object(claims).encoded())
        return text + "." + encode(key.sign(text.utf8))
    }

    /// The claims, where the signature is that of their "iss". Whether that key may sign such claims is for the caller to
    /// judge.
    public static func claims(of token: String) throws(NKeyError) -> JSONObject {
        guard token.utf8.count <= 1 << 20 else { throw NKeyError("the JWT has more than 1 MiB") }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let body = decode(parts[1]), let signature = decode(parts[2]) else {
            throw NKeyError("this is not a JWT")
        }
        let claims: JSONValue
        do {
            claims = try JSONValue(parsing: body)
        } catch {
            throw NKeyError("the claims of the JWT are no JSON: \(error)")
        }
        guard case .object(let object) = claims, let issuer = object["iss"]?.plainValue else {
            throw NKeyError("the JWT has no \"iss\"")
        }
        let signed = Array(token.utf8.prefix(parts[0].count + 1 + parts[1].count))
        guard NKey.verify(signature: signature, of: signed, publicKey: issuer) else {
            throw NKeyError("the signature of the JWT is not that of \(issuer)")
        }
        return object
    }

    /// Base64 for URLs without padding (RFC 7515, section 2).
    public static func encode(_ bytes: [UInt8]) -> String {
        let text = Base64.encodeURLSafe(bytes)
        return String(decoding: text.utf8.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
    }

    private static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var standard = text.map { byte in
            switch byte {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): UInt8(ascii: "!")
            default: byte
            }
        }
        while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
        return Base64.decode(String(decoding: standard, as: UTF8.self))
    }
}
