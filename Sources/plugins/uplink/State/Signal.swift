import NIOCore
import SupervisorEventLoop

/// Wakes the one task that waits for it. On the event loop only.
final class Signal {
    private let loop: any EventLoop
    private var waiter: CheckedContinuation<Void, Never>?
    private var alarm: Scheduled<Void>?
    /// It was raised while no task waited.
    private var isRaised = false

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func raise() {
        if waiter == nil { isRaised = true }
        wake()
    }

    /// Returns when it is raised, at once if it was since the last wait, or when the time is up.
    func wait(upTo time: Duration? = nil) async {
        await withCheckedContinuation { continuation in
            guard !isRaised else {
                isRaised = false
                return continuation.resume()
            }
            waiter = continuation
            guard let time else { return }
            alarm = loop.assumeIsolated().scheduleTask(in: TimeAmount(saturating: time)) { [weak self] in self?.wake() }
        }
    }

    private func wake() {
        alarm?.cancel()
        alarm = nil
        waiter?.resume()
        waiter = nil
    }
}
