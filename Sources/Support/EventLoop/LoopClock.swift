import CLinux
import Glibc
public import NIOCore
public import SupervisorPorts

/// The machine's clocks, and sleeps that the event loop's own timer ends.
///
/// `now` advances while the machine is suspended; a sleep counts only the time awake, as epoll_wait(2) does. A caller
/// that must know how long it really took asks `now`.
public struct LoopClock: SupervisorClock {
    private let loop: any EventLoop

    public init(loop: any EventLoop) {
        self.loop = loop
    }

    public var now: Duration {
        let time = read(CLOCK_BOOTTIME)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    public var wallSeconds: Int64 { Int64(read(CLOCK_REALTIME).tv_sec) }

    /// May be called on any thread. A loop that shuts down ends the sleep as a cancellation would.
    public func sleep(for duration: Duration) async throws(CancellationError) {
        // The timer's future is the one place that resumes the caller: it is completed exactly once, whether the time
        // is up, the timer was cancelled, or the loop has gone.
        let alarm = loop.scheduleTask(in: TimeAmount(saturating: duration)) {}
        do {
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                    alarm.futureResult.whenComplete { continuation.resume(with: $0) }
                }
            } onCancel: {
                alarm.cancel()
            }
        } catch {
            throw CancellationError()
        }
    }

    private func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        // Fails only for a clock that does not exist, and both of ours are as old as Linux 2.6.39.
        _ = clock_gettime(clock, &time)
        return time
    }
}

extension TimeAmount {
    /// The same span in whole nanoseconds, rounded up; 292 years at most, and none at all for a negative one.
    public init(saturating duration: Duration) {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            self = .nanoseconds(0)
            return
        }
        let nanoseconds = (attoseconds + 999_999_999) / 1_000_000_000
        let (whole, tooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, tooLongBySome) = whole.addingReportingOverflow(nanoseconds)
        self = .nanoseconds(tooLong || tooLongBySome ? .max : sum)
    }
}
