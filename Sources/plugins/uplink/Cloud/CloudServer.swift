import LinuxSupport

/// The origin of the remote service (RFC 6454): the only place to which the device key goes.
struct CloudServer: Sendable, Hashable, CustomStringConvertible {
    /// Without TLS, which only a service on this machine may be.
    var isPlain: Bool
    /// A name or an address, without brackets, in small letters.
    var host: String
    var port: Int

    init(_ text: String) throws(CloudServerError) {
        let bytes = Array(text.utf8.map(\.lowercasedASCII))
        let scheme: [UInt8]
        if bytes.starts(with: "https://".utf8) {
            scheme = Array("https://".utf8)
        } else if bytes.starts(with: "http://".utf8) {
            scheme = Array("http://".utf8)
        } else {
            throw CloudServerError(reason: "does not begin with https://")
        }
        isPlain = scheme.count == 7
        var rest = bytes[scheme.count...]
        if rest.last == UInt8(ascii: "/") { rest = rest.dropLast() }
        guard !rest.contains(UInt8(ascii: "@")) else { throw CloudServerError(reason: "has a user in it") }
        guard !rest.contains(where: { "/?#".utf8.contains($0) }) else {
            throw CloudServerError(reason: "has a path in it")
        }
        var name = rest
        var given: ArraySlice<UInt8>?
        if rest.first == UInt8(ascii: "["), let end = rest.firstIndex(of: UInt8(ascii: "]")) {
            name = rest[rest.index(after: rest.startIndex)..<end]
            let after = rest[rest.index(after: end)...]
            guard after.isEmpty || after.first == UInt8(ascii: ":") else {
                throw CloudServerError(reason: "has something behind the address")
            }
            given = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = rest.firstIndex(of: UInt8(ascii: ":")) {
            name = rest[..<colon]
            given = rest[rest.index(after: colon)...]
        }
        guard (1...253).contains(name.count),
            name.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || "-._:".utf8.contains($0) })
        else { throw CloudServerError(reason: "has no name of a host") }
        host = String(decoding: name, as: UTF8.self)
        port = isPlain ? 80 : 443
        if let given {
            guard given.isDecimal, given.count <= 5, let number = Int(String(decoding: given, as: UTF8.self)),
                (1...65535).contains(number)
            else { throw CloudServerError(reason: "has a port that is not a number from 1 to 65535") }
            port = number
        }
        if isPlain, !isThisMachine { throw CloudServerError(reason: "is neither https:// nor this machine") }
    }

    var isThisMachine: Bool { host == "localhost" || host == "::1" || host.begins(with: "127.") && isIPv4 }

    private var isIPv4: Bool { host.utf8.allSatisfy { $0.isASCIIDigit || $0 == UInt8(ascii: ".") } }

    /// As in a URL.
    var authority: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isPlain ? 80 : 443) ? name : "\(name):\(port)"
    }

    var description: String { "\(isPlain ? "http" : "https")://\(authority)" }
}
