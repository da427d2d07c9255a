public import NIOCore

/// One moving deadline with one timer behind it.
///
/// Moving the deadline away costs nothing: the timer fires when it was to fire, sees that it is early and sets itself
/// again. On the event loop only.
public final class LoopDeadline {
    private let loop: any EventLoop
    private let onExpiry: () -> Void
    private var timer: (fires: NIODeadline, scheduled: Scheduled<Void>)?

    /// nil = never. Takes effect with `arm()`.
    public var moment: NIODeadline?

    /// - Parameter onExpiry: called once for each moment that has passed; `moment` is nil by then.
    public init(_ loop: any EventLoop, onExpiry: @escaping () -> Void) {
        self.loop = loop
        self.onExpiry = onExpiry
    }

    /// Makes sure that the timer fires at `moment` or before.
    public func arm() {
        guard let moment else { return }
        if let timer {
            if timer.fires <= moment { return }
            timer.scheduled.cancel()
        }
        let scheduled = loop.assumeIsolated().scheduleTask(deadline: moment) { [weak self] in
            guard let self else { return }
            self.fire()
        }
        timer = (moment, scheduled)
    }

    public func cancel() {
        moment = nil
        timer?.scheduled.cancel()
        timer = nil
    }

    private func fire() {
        timer = nil
        guard let moment else { return }
        if NIODeadline.now() < moment {
            arm()
        } else {
            self.moment = nil
            onExpiry()
        }
    }
}
