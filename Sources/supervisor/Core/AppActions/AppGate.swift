/// Lets actions on one application run one at a time, in the order in which they came.
///
/// A value of the core actor; only that one touches it.
struct AppGate {
    private struct Waiter {
        var number: Int
        var continuation: CheckedContinuation<Bool, Never>
    }

    private var busy: Set<AppID> = []
    private var queues: [AppID: [Waiter]] = [:]
    private var nextNumber = 0

    /// More callers than this are refused at once.
    static let maximumWaiters = 32

    func isBusy(_ app: AppID) -> Bool { busy.contains(app) }

    /// Takes the gate if it is free.
    mutating func tryEnter(_ app: AppID) -> Bool {
        busy.insert(app).inserted
    }

    /// Queues a caller, who is resumed with true when the gate is theirs. Returns the caller's number; nil where they
    /// were resumed at once: with true because the gate is free, with false because too many wait already.
    mutating func wait(for app: AppID, _ continuation: CheckedContinuation<Bool, Never>) -> Int? {
        if tryEnter(app) {
            continuation.resume(returning: true)
            return nil
        }
        guard queues[app, default: []].count < Self.maximumWaiters else {
            continuation.resume(returning: false)
            return nil
        }
        nextNumber += 1
        queues[app, default: []].append(Waiter(number: nextNumber, continuation: continuation))
        return nextNumber
    }

    /// Resumes a caller that still waits with false.
    mutating func giveUp(_ number: Int, for app: AppID) {
        guard let index = queues[app]?.firstIndex(where: { $0.number == number }) else { return }
        queues[app]?.remove(at: index).continuation.resume(returning: false)
    }

    /// Hands the gate to the next in the queue.
    mutating func leave(_ app: AppID) {
        if queues[app]?.isEmpty == false, let next = queues[app]?.removeFirst() {
            next.continuation.resume(returning: true)
        } else {
            queues[app] = nil
            busy.remove(app)
        }
    }
}
