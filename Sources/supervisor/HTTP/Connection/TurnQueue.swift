import NIOCore

/// Lets what a crowd can cause have its turn one after the other, for some milliseconds of each turn of the event loop:
/// requests that are larger than a page, and refusals.
///
/// Nearly every request comes in one piece of a few hundred bytes and is not kept here. A crowd that sends large ones on all
/// connections at once, with a body of 100 kB each, would otherwise be dealt with in a single turn of half a second, and
/// everybody else would wait for it. On the event loop only.
final class TurnQueue {
    /// Of a turn.
    private static let budget = TimeAmount.milliseconds(2)
    /// Until the next turn, in which the loop looks at everything else first.
    private static let pause = TimeAmount.milliseconds(1)
    /// Entries of a turn. What a client that is refused does next, connecting again, costs ten times what its refusal does.
    private static let entries = 32
    /// Entries of a turn that need not wait while nothing waits before them.
    private static let passes = 8

    private let loop: any EventLoop
    private var entries = CircularBuffer<() -> Void>(initialCapacity: 0)
    private var isScheduled = false
    private var passesLeft = TurnQueue.passes

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    /// Runs it in a later turn.
    func append(_ entry: @escaping () -> Void) {
        entries.append(entry)
        schedule()
    }

    /// Runs it at once where that is the exception, else in a later turn.
    func take(_ entry: @escaping () -> Void) {
        guard entries.isEmpty, passesLeft > 0 else {
            append(entry)
            return
        }
        passesLeft -= 1
        schedule()
        entry()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        loop.assumeIsolated().scheduleTask(in: Self.pause) { self.run() }
    }

    private func run() {
        isScheduled = false
        passesLeft = Self.passes
        let end = NIODeadline.now() + Self.budget
        for _ in 0..<Self.entries {
            guard let entry = entries.popFirst() else { break }
            entry()
            if NIODeadline.now() >= end { break }
        }
        if !entries.isEmpty { schedule() }
    }
}
