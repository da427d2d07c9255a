import NIOCore

/// One moving deadline with one timer behind it.
///
/// Moving the deadline away costs nothing: the timer fires when it was to fire, sees that it is early and sets itself
/// anew. On the event loop only.
final class Deadline {
    private let loop: any EventLoop
    private let onExpiry: () -> Void
    private var timer: (fires: NIODeadline, scheduled: Scheduled<Void>)?

    /// nil = never. Takes effect with `arm()`.
    var moment: NIODeadline?

    init(_ loop: any EventLoop, onExpiry: @escaping () -> Void) {
        self.loop = loop
        self.onExpiry = onExpiry
    }

    /// Sees to it that the timer fires at `moment` or before.
    func arm() {
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

    func cancel() {
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
