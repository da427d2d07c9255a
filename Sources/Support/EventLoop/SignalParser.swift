public import NIOCore

/// A signal, and who sent it.
public struct ReceivedSignal: Sendable, Hashable {
    /// As in signal(7).
    public var number: Int32
    /// Process id and user id of the sender; zero where the kernel sent it.
    public var senderProcess: UInt32
    public var senderUser: UInt32

    public init(number: Int32, senderProcess: UInt32 = 0, senderUser: UInt32 = 0) {
        self.number = number
        self.senderProcess = senderProcess
        self.senderUser = senderUser
    }
}

/// Reads `struct signalfd_siginfo` of signalfd(2), 128 bytes each, out of a stream of bytes that may be cut anywhere.
public struct SignalParser: Sendable {
    public static let recordLength = 128

    private var rest = ByteBuffer()

    public init() {}

    /// The signals that are complete now.
    public mutating func parse(_ bytes: ByteBuffer) -> [ReceivedSignal] {
        rest.writeImmutableBuffer(bytes)
        var signals: [ReceivedSignal] = []
        while var record = rest.readSlice(length: Self.recordLength) {
            // ssi_signo, ssi_errno, ssi_code, ssi_pid, ssi_uid: 32 bits each, in this order, in the machine's own
            // order of bytes.
            guard
                let (number, _, _, process, user) = record.readMultipleIntegers(
                    endianness: .host,
                    as: (UInt32, Int32, Int32, UInt32, UInt32).self
                )
            else { break }
            signals.append(
                ReceivedSignal(number: Int32(truncatingIfNeeded: number), senderProcess: process, senderUser: user)
            )
        }
        if rest.readableBytes == 0 { rest = ByteBuffer() }
        return signals
    }
}
