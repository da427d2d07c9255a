import LinuxSupport

/// The address of a server: `nats://host:4222`, `tls://host:4222`, `ws://host:80/path` or `wss://host:443/path`.
public struct NATSServer: Sendable, Hashable, CustomStringConvertible {
    public enum Scheme: String, Sendable, CaseIterable {
        /// TLS only where the server demands it.
        case nats
        case tls
        case ws
        case wss

        var isWebSocket: Bool { self == .ws || self == .wss }

        var port: Int {
            switch self {
            case .nats, .tls: 4222
            case .ws: 80
            case .wss: 443
            }
        }
    }

    public var scheme: Scheme
    /// A name or an address; an IPv6 address without its brackets.
    public var host: String
    public var port: Int
    /// Of the WebSocket request; "/" where none is given.
    public var path: String

    public init(scheme: Scheme, host: String, port: Int? = nil, path: String = "/") {
        self.scheme = scheme
        self.host = host
        self.port = port ?? scheme.port
        self.path = path
    }

    public init(parsing text: String) throws(NATSError) {
        func invalid(_ reason: String) -> NATSError {
            NATSError(
                .invalid,
                "the address of a server \(reason); nats://, tls://, ws:// or wss:// with host and port are allowed"
            )
        }
        guard text.utf8.count <= 512, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw invalid("has other characters than printable ASCII, or more than 512")
        }
        guard let scheme = Scheme.allCases.first(where: { text.utf8.starts(with: "\($0.rawValue)://".utf8) }) else {
            throw invalid("has no known scheme")
        }
        let rest = text.utf8.dropFirst(scheme.rawValue.utf8.count + 3)
        let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        let (authority, path) = (rest[..<slash], rest[slash...])
        guard !authority.contains(UInt8(ascii: "@")) else { throw invalid("must not hold a user or a password") }
        guard !path.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else {
            throw invalid("must not have a query")
        }
        let isLiteral = authority.first == UInt8(ascii: "[")
        let host: Substring.UTF8View
        var port = authority[authority.endIndex...]
        if isLiteral {
            guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else { throw invalid("has a bracket too few") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            port = authority[authority.index(after: end)...]
        } else {
            let colon = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
            host = authority[..<colon]
            port = authority[colon...]
        }
        let isHost = host.allSatisfy {
            $0.isASCIIDigit || $0.isASCIILetter || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
                || $0 == UInt8(ascii: "_") || isLiteral && $0 == UInt8(ascii: ":")
        }
        guard isHost, !host.isEmpty else { throw invalid("has no valid host") }
        self.scheme = scheme
        self.host = String(Substring(host))
        self.path = path.isEmpty ? "/" : String(Substring(path))
        guard !port.isEmpty else {
            self.port = scheme.port
            return
        }
        guard port.first == UInt8(ascii: ":"), port.count <= 6, let number = Int(Substring(port.dropFirst())),
            (1...65535).contains(number), port.dropFirst().isDecimal
        else { throw invalid("has no valid port") }
        self.port = number
    }

    /// The host and the port as they stand in an address.
    var authority: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    public var description: String {
        "\(scheme.rawValue)://\(authority)\(scheme.isWebSocket ? path : "")"
    }
}
