import Glibc
import Logging
import NIOCore
import NIOPosix
import SupervisorEventLoop
import Testing

@Suite(.timeLimit(.minutes(1)), .serialized) struct InterfaceMonitorTests {
    private static let loop = MultiThreadedEventLoopGroup.singleton.next()
    /// One of its own for each process, so that two runs of the tests do not meet.
    private static let address = "127.83.\(getpid() / 250 % 250).\(getpid() % 250 + 1)"

    /// ip(8) on the loopback, which only root may.
    private static func ip(_ command: String) -> Bool {
        let words = ["ip", "address", command, "\(address)/32", "dev", "lo"]
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        guard posix_spawnp(&pid, "ip", nil, nil, arguments, environ) == 0 else { return false }
        var status: CInt = 0
        return waitpid(pid, &status, 0) == pid && status == 0
    }

    private static let mayChange: Bool = {
        defer { _ = ip("del") }
        return ip("add")
    }()

    @Test("An address that comes and goes is noticed", .enabled(if: mayChange, "needs ip(8) and its rights"))
    func change() async throws {
        let loop = Self.loop
        let (snapshots, feed) = AsyncStream.makeStream(
            of: InterfaceSnapshot.self,
            bufferingPolicy: .bufferingNewest(16)
        )
        let monitor = try await loop.submit {
            let monitor = InterfaceMonitor(loop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            {
                feed.yield($0)
            }
            monitor.start()
            return NIOLoopBound(monitor, eventLoop: loop)
        }.get()
        // What the start itself read comes first, as soon as something differs from then on.
        #expect(Self.ip("add"))
        defer { _ = Self.ip("del") }
        var iterator = snapshots.makeAsyncIterator()
        func has(_ snapshot: InterfaceSnapshot?) -> Bool? {
            snapshot?.interfaces.contains { $0.ipv4Addresses.contains(Self.address) }
        }
        #expect(has(await iterator.next()) == true)
        #expect(Self.ip("del"))
        #expect(has(await iterator.next()) == false)
        try await loop.submit { monitor.value.stop() }.get()
        feed.finish()
    }
}
