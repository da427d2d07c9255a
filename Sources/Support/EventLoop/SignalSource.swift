public import Logging
public import NIOCore

/// Calls back on the event loop for each signal that arrives at the process.
///
/// The kernel merges equal signals that arrive before the first is read, SIGCHLD too.
public final class SignalSource: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// Reads `signals` until `close()`. `onSignal` is called on `loop`.
    public static func start(
        _ signals: SignalDescriptor,
        on loop: any EventLoop,
        logger: Logger,
        onSignal: @escaping @Sendable (ReceivedSignal) -> Void
    ) -> EventLoopFuture<SignalSource> {
        let parser = NIOLoopBoundBox.makeBoxSendingValue(SignalParser(), eventLoop: loop)
        return DescriptorReader.start(signals.number, name: "signalfd", on: loop, logger: logger) { bytes in
            for signal in parser.value.parse(bytes) { onSignal(signal) }
        }
        .map { SignalSource(channel: $0) }
    }

    /// No callback comes after the future is done. The signals stay blocked.
    public func close() -> EventLoopFuture<Void> {
        let done = channel.closeFuture
        channel.close(promise: nil)
        return done
    }
}
