import Glibc
import LinuxSupport
import Synchronization

/// A datagram socket of the abstract name space that takes what is sent to it: stands for systemd's.
final class Receiver {
    let path: String
    private let descriptor: Int32

    private static let count = Atomic(0)

    init() {
        path = "@supervisor-test-\(getpid())-\(Self.count.add(1, ordering: .relaxed).newValue)"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        let code = UnixSocketAddress(abstractName: path.utf8.dropFirst())?.bind(descriptor)
        precondition(code == 0, "bind: \(errno)")
    }

    deinit { close(descriptor) }

    /// The next datagram that is there; nil for none.
    func next() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 17)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    func nextText() -> String? { next().map { String(decoding: $0, as: UTF8.self) } }
}
