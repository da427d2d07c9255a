import Glibc
import LinuxSupport

/// Sends datagrams to a socket of the file system or of the abstract name space (unix(7)).
///
/// Not connected: systemd's sockets outlive the services behind them, but a connected socket would not survive a new
/// one being bound at the same path.
final class DatagramSocket: Sendable {
    private let descriptor: Int32
    private let address: UnixSocketAddress

    /// `path` begins with "/", or with "@" for an abstract name. nil where that is not so, or there is no descriptor.
    ///
    /// A send waits for `patience` at most while the receiver's queue is full; nil does not wait at all.
    init?(path: String, patience: Duration?) {
        guard !path.utf8.contains(0), let address = Self.address(path) else { return nil }
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

    private static func address(_ path: String) -> UnixSocketAddress? {
        switch path.utf8.first {
        case UInt8(ascii: "/"): UnixSocketAddress(path: path)
        case UInt8(ascii: "@"): UnixSocketAddress(abstractName: path.utf8.dropFirst())
        default: nil
        }
    }

    deinit {
        close(descriptor)
    }

    /// Whether the kernel took it.
    func send(_ bytes: [UInt8]) -> Bool {
        address.withAddress { address, length in
            while true {
                let sent = sendto(
                    descriptor,
                    bytes,
                    bytes.count,
                    Int32(MSG_NOSIGNAL),
                    address,
                    length
                )
                if sent >= 0 { return true }
                guard errno == EINTR else { return false }
            }
        }
    }
}
