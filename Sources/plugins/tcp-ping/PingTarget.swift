import LinuxSupport

/// Where the heartbeat connects to.
struct PingTarget: Sendable, Hashable {
    /// A name or an address, without brackets.
    var host: String
    var port: UInt16

    /// Takes `name:port`, `1.2.3.4:port` and `[v6]:port`; nil for anything else.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.count <= 5, digits.utf8.allSatisfy(\.isASCIIDigit),
            let port = UInt16(digits), port > 0
        else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.contains(":") else { return nil }
            self.host = String(host.dropFirst().dropLast())
        } else {
            guard !host.contains(":") else { return nil }
            self.host = String(host)
        }
        // What getaddrinfo(3) is to see holds no blanks and nothing that does not print; a zone has its percent sign.
        let isPlain = self.host.utf8.allSatisfy { byte in
            byte.isASCIILetter || byte.isASCIIDigit || ".-_:%".utf8.contains(byte)
        }
        guard isPlain, !self.host.isEmpty, self.host.utf8.count <= 253 else { return nil }
        self.port = port
    }
}
