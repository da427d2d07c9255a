import Glibc

/// An address to connect to, as getaddrinfo(3) gives it.
struct SocketAddress: Sendable, Hashable {
    let family: Int32
    let bytes: [UInt8]

    /// All addresses of a host, in the order in which they are to be tried (RFC 6724); none where there is none. Blocks
    /// unless only a numeric host is asked for.
    static func look(up target: PingTarget, onlyNumeric: Bool) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (onlyNumeric ? AI_NUMERICHOST : AI_ADDRCONFIG)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(target.host, String(target.port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                let bytes = UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))
                addresses.append(SocketAddress(family: entry.ai_family, bytes: Array(bytes)))
            }
            next = entry.ai_next
        }
        return addresses
    }

    /// Begins to connect. Returns the socket and whether it is through already; nil if it cannot be.
    func connect() -> (descriptor: Int32, isConnected: Bool)? {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { return nil }
        let result = bytes.withUnsafeBytes { raw in
            raw.baseAddress.map {
                Glibc.connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
            }
        }
        if result == 0 { return (descriptor, true) }
        if result == -1, errno == EINPROGRESS { return (descriptor, false) }
        close(descriptor)
        return nil
    }
}
