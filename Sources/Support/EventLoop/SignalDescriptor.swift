import CLinux
import Glibc
public import NIOCore

/// Signals that are blocked and wait to be read (signalfd(2)).
///
/// Make it before the process starts any thread, the event loop's included: the signals are blocked for the calling
/// thread and for those that it starts, and a thread that does not block a signal is killed by it. A child inherits the
/// mask; the code that spawns it restores it (posix_spawnattr_setsigmask(3)).
public struct SignalDescriptor: Sendable {
    let number: Int32

    /// Owned by the `SignalSource` that is started with it, which closes it at its end.
    public init(_ signals: [Int32]) throws(IOError) {
        number = clinux_signal_descriptor(signals, Int32(signals.count))
        guard number >= 0 else { throw IOError(errnoCode: errno, reason: "signalfd") }
    }
}
