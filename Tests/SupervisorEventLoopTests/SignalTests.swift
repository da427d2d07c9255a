import Glibc
import Logging
import NIOCore
import SupervisorEventLoop
import Testing

@Suite(.timeLimit(.minutes(1)))
struct SignalTests {
    /// A record as the kernel lays it out.
    private static func record(_ number: UInt32, process: UInt32, user: UInt32) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(number, Int32(0), Int32(0), process, user, endianness: .host)
        bytes.writeRepeatingByte(0xAA, count: SignalParser.recordLength - bytes.readableBytes)
        return bytes
    }

    @Test(arguments: [1, 7, 127, 128, 129, 256])
    func `records are read however they are cut`(size: Int) {
        var stream = Self.record(15, process: 1, user: 0)
        stream.writeImmutableBuffer(Self.record(1, process: 77, user: 1000))
        var parser = SignalParser()
        var signals: [ReceivedSignal] = []
        while stream.readableBytes > 0 {
            let piece = stream.readSlice(length: min(size, stream.readableBytes)) ?? ByteBuffer()
            signals += parser.parse(piece)
        }
        #expect(
            signals == [
                ReceivedSignal(number: 15, senderProcess: 1, senderUser: 0),
                ReceivedSignal(number: 1, senderProcess: 77, senderUser: 1000),
            ]
        )
    }

    @Test func `half a record is no signal`() {
        var parser = SignalParser()
        let half = Self.record(15, process: 1, user: 0).getSlice(at: 0, length: 64) ?? ByteBuffer()
        #expect(parser.parse(half).isEmpty)
    }

    @Test func `a signal arrives on the loop with its sender`() async throws {
        try await onLoop { loop in
            let (signals, continuation) = AsyncStream.makeStream(
                of: ReceivedSignal.self,
                bufferingPolicy: .bufferingNewest(8)
            )
            // Blocked in the loop's own thread, and raised there: the test's other threads do not block it.
            let source = try await SignalSource.start(
                SignalDescriptor([SIGUSR1]),
                on: loop,
                logger: Logger(label: "test")
            ) { signal in
                loop.preconditionInEventLoop()
                continuation.yield(signal)
            }.get()
            #expect(raise(SIGUSR1) == 0)
            var received = signals.makeAsyncIterator()
            let signal = await received.next()
            #expect(
                signal == ReceivedSignal(number: SIGUSR1, senderProcess: UInt32(getpid()), senderUser: getuid())
            )
            try await source.close().get()
        }
    }
}
