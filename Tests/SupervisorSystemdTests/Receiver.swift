import Glibc
import Synchronization

/// A datagram socket of the abstract name space that takes what is sent to it: stands for systemd's.
final class Receiver {
    let path: String
    private let descriptor: Int32

    private static let count = Atomic(0)

    init() {
        path = "@supervisor-test-\(getpid())-\(Self.count.add(1, ordering: .relaxed).newValue)"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = [0] + Array(path.utf8.dropFirst())
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
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
