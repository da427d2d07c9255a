import Glibc
import Synchronization
import Testing

@testable import supervisor_plugin_tcp_ping

struct ConnectionAttemptTests {
    /// A TCP socket on 127.0.0.1.
    private final class Listener: Sendable {
        let descriptor: Int32
        let port: UInt16

        /// - Parameter isListening: without it, connecting is refused.
        init(isListening: Bool) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            try #require(bound && (!isListening || listen(descriptor, 8) == 0))
            port = UInt16(bigEndian: address.sin_port)
        }

        deinit { close(descriptor) }

        var addresses: [SocketAddress] {
            PingTarget("127.0.0.1:\(port)").map { SocketAddress.look(up: $0, onlyNumeric: true) } ?? []
        }
    }

    /// Goes on until it is through, with real sockets and time that a test makes up.
    private func run(_ addresses: [SocketAddress]) -> ConnectionAttempt.Progress {
        var attempt = ConnectionAttempt(number: 1, deadline: .seconds(10))
        attempt.lookedUp(addresses)
        for _ in 0..<1000 {
            let progress = attempt.advance(at: .seconds(1))
            if progress != .waits { return progress }
            var poller = pollfd(fd: attempt.descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&poller, 1, 1000)
        }
        return .waits
    }

    @Test func `who listens is reached, and who does not is not`() throws {
        let listener = try Listener(isListening: true)
        let closed = try Listener(isListening: false)
        #expect(run(listener.addresses) == .finished(isConnected: true))
        #expect(run(closed.addresses) == .finished(isConnected: false))
        #expect(run(closed.addresses + listener.addresses) == .finished(isConnected: true))
        #expect(run([]) == .finished(isConnected: false))
    }

    @Test func `a name that is still looked up at the deadline has failed`() {
        var attempt = ConnectionAttempt(number: 1, deadline: .seconds(10))
        let early = attempt.advance(at: .seconds(9))
        #expect(early == .waits)
        let (isLookingUp, wakeUp) = (attempt.isLookingUp, attempt.wakeUp)
        #expect(isLookingUp)
        #expect(wakeUp == .seconds(10))
        let late = attempt.advance(at: .seconds(10))
        #expect(late == .finished(isConnected: false))
    }

    @Test func `numeric addresses of both kinds need no look-up`() throws {
        let v4 = try #require(PingTarget("192.0.2.1:80")), v6 = try #require(PingTarget("[2001:db8::1]:80"))
        #expect(SocketAddress.look(up: v4, onlyNumeric: true).map(\.family) == [AF_INET])
        #expect(SocketAddress.look(up: v6, onlyNumeric: true).map(\.family) == [AF_INET6])
        let name = try #require(PingTarget("localhost:80"))
        #expect(SocketAddress.look(up: name, onlyNumeric: true).isEmpty)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a resolver that hangs is asked once, however many want to know`() async throws {
        let asked = Mutex(0)
        let isOpen = Mutex(false)
        let answered = Mutex(0)
        let resolver = Resolver(
            look: { _ in
                asked.withLock { $0 += 1 }
                while !isOpen.withLock({ $0 }) { usleep(1000) }
                return []
            },
            whenAnswered: { answered.withLock { $0 += 1 } }
        )
        let target = try #require(PingTarget("name:80"))
        for _ in 0..<100 { resolver.ask(target) }
        #expect(resolver.take() == nil)
        isOpen.withLock { $0 = true }
        while answered.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(asked.withLock { $0 } == 1)
        #expect(resolver.take() != nil)
        #expect(resolver.take() == nil)
        resolver.ask(target)
        while answered.withLock({ $0 }) == 1 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(asked.withLock { $0 } == 2)
    }
}
