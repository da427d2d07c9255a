import Glibc
import Synchronization
import TestSupport

/// A server on the loopback that does what a test says, on threads of its own: each connection gets a call of `serve`.
final class FakeServer: Sendable {
    let port: Int
    private let listener: Int32
    private let open = Mutex<[Int32]>([])

    /// A port of the loopback that nothing listened on just now.
    static func freePort() throws -> Int {
        let (socket, port) = try listen()
        close(socket)
        return port
    }

    private static func listen() throws -> (Int32, Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                Glibc.bind(listener, pointer, size) | Glibc.listen(listener, 16) | getsockname(listener, pointer, &size)
            }
        }
        guard code == 0 else { throw SystemFailure(text: "listen: \(errno)") }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    init(_ serve: @escaping @Sendable (Peer) -> Void) throws {
        (listener, port) = try Self.listen()
        let listener = listener
        TestThread.start {
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { return }
                TestThread.start {
                    serve(Peer(socket: socket))
                    close(socket)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    struct Peer {
        let socket: Int32

        /// False where the client has gone.
        @discardableResult
        func send(_ bytes: some Collection<UInt8>) -> Bool {
            var rest = Array(bytes)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }

        @discardableResult
        func send(_ text: String) -> Bool { send(text.utf8) }

        /// What comes next; empty at the end.
        func receive() -> [UInt8] {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(socket, &buffer, buffer.count, 0)
            return Array(buffer.prefix(max(count, 0)))
        }

        /// Reads until `text` has come; nil at the end.
        func receive(until text: String) -> String? {
            var all: [UInt8] = []
            while true {
                let more = receive()
                guard !more.isEmpty else { return nil }
                all += more
                let found = String(decoding: all, as: UTF8.self)
                if found.contains(text) { return found }
            }
        }

        /// Until the client has gone.
        func drain() {
            while !receive().isEmpty {}
        }
    }
}
