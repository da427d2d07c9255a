import NIOCore

/// Lets requests that are larger than a page have their turn one after the other, for some milliseconds of each turn of the
/// event loop.
///
/// Nearly every request comes in one piece of a few hundred bytes and is not kept here. A crowd that sends large ones on all
/// connections at once, with a body of 100 kB each, would otherwise be dealt with in a single turn of half a second, and
/// everybody else would wait for it. On the event loop only.
final class LargeInputQueue {
    /// Of a turn.
    private static let budget = TimeAmount.milliseconds(4)
    /// Until the next turn, in which the loop looks at everything else first.
    private static let pause = TimeAmount.milliseconds(1)

    private let loop: any EventLoop
    private var entries = CircularBuffer<() -> Void>(initialCapacity: 0)
    private var isScheduled = false

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func append(_ entry: @escaping () -> Void) {
        entries.append(entry)
        schedule()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        loop.assumeIsolated().scheduleTask(in: Self.pause) { self.run() }
    }

    private func run() {
        isScheduled = false
        let end = NIODeadline.now() + Self.budget
        while let entry = entries.popFirst() {
            entry()
            if NIODeadline.now() >= end { break }
        }
        if !entries.isEmpty { schedule() }
    }
}
