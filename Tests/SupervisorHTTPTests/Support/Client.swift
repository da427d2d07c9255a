import Glibc
import LinuxSupport

/// A response as it came.
struct Reply: Hashable {
    var raw: String
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: String
}

struct ClientError: Error, CustomStringConvertible {
    var description: String
}

/// A blocking client that sends exactly the bytes it is given. Every call ends within seconds.
///
/// One thread may send while another receives: only the receiving side touches what has been received.
final class Client: @unchecked Sendable {
    private let descriptor: CInt
    private var received: [UInt8] = []

    init(port: UInt16, receiveBuffer: CInt? = nil) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        // sockaddr_in of ip(7), which no module that is imported here has: family, port, address, padding.
        var address: [UInt8] = [UInt8(AF_INET), 0, UInt8(port >> 8), UInt8(port & 0xFF), 127, 0, 0, 1]
        address += [UInt8](repeating: 0, count: 8)
        try connect(
            address.withUnsafeBytes { bytes in
                bytes.withMemoryRebound(to: sockaddr.self) {
                    Glibc.connect(descriptor, $0.baseAddress, socklen_t(bytes.count))
                }
            }
        )
        var yes: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<CInt>.size))
    }

    init(path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        try connect(UnixSocketAddress(path: path)?.connect(descriptor) ?? -1)
    }

    private func connect(_ code: CInt) throws {
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard code == 0 else { throw ClientError(description: "connect: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ClientError(description: "send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// No more to send; answers may still come.
    func finishSending() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// What one call of recv(2) gives; empty at the end.
    func receive(upTo count: Int = 65536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let read = recv(descriptor, &buffer, count, 0)
        guard read >= 0 else { throw ClientError(description: "recv: \(String(cString: strerror(errno)))") }
        return Array(buffer.prefix(read))
    }

    /// Everything up to the end of the connection.
    func rest() throws -> String {
        while true {
            let bytes = try receive()
            if bytes.isEmpty { break }
            received += bytes
        }
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// Whether the server closes the connection, orderly or not, without sending more.
    func isClosed() -> Bool {
        var byte: UInt8 = 0
        let read = recv(descriptor, &byte, 1, 0)
        return read == 0 || (read < 0 && errno == ECONNRESET)
    }

    /// Whether the server closes one of them within 5 s, or sends it something.
    static func oneEnds(of clients: [Client]) -> Bool {
        var polls = clients.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        return poll(&polls, nfds_t(polls.count), 5000) > 0
    }

    /// The next response, by its Content-Length.
    func reply(toHead: Bool = false) throws -> Reply {
        var end = headEnd
        while end == nil {
            let bytes = try receive()
            guard !bytes.isEmpty else {
                throw ClientError(description: "closed after \(String(decoding: received, as: UTF8.self))")
            }
            received += bytes
            end = headEnd
        }
        let head = String(decoding: received[..<(end ?? 0)], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
        }
        let length = toHead ? 0 : Int(headers["content-length"] ?? "") ?? 0
        let total = (end ?? 0) + length
        while received.count < total {
            let bytes = try receive()
            guard !bytes.isEmpty else { throw ClientError(description: "closed within a body") }
            received += bytes
        }
        let raw = String(decoding: received[..<total], as: UTF8.self)
        let body = String(decoding: received[(end ?? 0)..<total], as: UTF8.self)
        received.removeFirst(total)
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return Reply(raw: raw, status: status, headers: headers, body: body)
    }

    private var headEnd: Int? {
        let mark = Array("\r\n\r\n".utf8)
        guard received.count >= 4 else { return nil }
        return (0...(received.count - 4)).first { Array(received[$0..<($0 + 4)]) == mark }.map { $0 + 4 }
    }
}
