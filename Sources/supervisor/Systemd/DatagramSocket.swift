import Glibc

/// Sends datagrams to a socket of the file system or of the abstract name space (unix(7)).
///
/// Not connected: systemd's sockets outlive the services behind them, but a connected socket would not survive a new
/// one being bound at the same path.
final class DatagramSocket: Sendable {
    private let descriptor: Int32
    /// The whole of `sockaddr_un` that is in use.
    private let address: [UInt8]

    /// `path` begins with "/", or with "@" for an abstract name. nil where that is not so, or there is no descriptor.
    ///
    /// A send waits for `patience` at most while the receiver's queue is full; nil does not wait at all.
    init?(path: String, patience: Duration?) {
        guard let first = path.utf8.first, path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
        guard first == UInt8(ascii: "/") || first == UInt8(ascii: "@") else { return nil }
        var address = withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) }
        if first == UInt8(ascii: "@") {
            address.append(0)
            address.append(contentsOf: path.utf8.dropFirst())
        } else {
            address.append(contentsOf: path.utf8)
            address.append(0)
        }

        var kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        if patience == nil { kind |= Int32(SOCK_NONBLOCK.rawValue) }
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return nil }
        if let patience {
            let (seconds, attoseconds) = patience.components
            var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        self.descriptor = descriptor
        self.address = address
    }

    deinit {
        close(descriptor)
    }

    /// Whether the kernel took it.
    func send(_ bytes: [UInt8]) -> Bool {
        address.withUnsafeBytes { address in
            while true {
                let sent = sendto(
                    descriptor,
                    bytes,
                    bytes.count,
                    Int32(MSG_NOSIGNAL),
                    address.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    socklen_t(address.count)
                )
                if sent >= 0 { return true }
                guard errno == EINTR else { return false }
            }
        }
    }
}
