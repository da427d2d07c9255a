import SupervisorPorts

/// Lets operations on one application run one at a time, in the order in which they came.
///
/// A value of the core actor; only that one touches it.
struct OperationGate {
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

    /// Queues a caller, who is resumed with true when the gate is his. Returns the caller's number; nil where he was
    /// resumed at once: with true because the gate is free, with false because too many wait already.
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

    /// Resumes a caller who still waits with false.
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

extension Supervisor {
    /// Enters the gate of an application, waiting its turn for at most `limit`. Whoever is let in must leave.
    func enterGate(_ app: AppID, within limit: Duration) async -> Bool {
        if gate.tryEnter(app) { return true }
        let clock = parts.clock
        var timer: Task<Void, Never>?
        let entered = await withCheckedContinuation { continuation in
            guard let number = gate.wait(for: app, continuation) else { return }
            timer = Task(executorPreference: parts.executor) {
                do { try await clock.sleep(for: limit) } catch { return }
                await self.giveUpGate(number, app)
            }
        }
        timer?.cancel()
        return entered
    }

    private func giveUpGate(_ number: Int, _ app: AppID) {
        gate.giveUp(number, for: app)
    }

    func leaveGate(_ app: AppID) {
        gate.leave(app)
    }

    /// How long a caller waits for the operation before his: 10 s plus the time that a stop may take.
    func gatePatience(_ app: AppID) -> Duration {
        .seconds(10) + stopTimeout(app)
    }

    /// The longest time that stopping a container of the application may take.
    func stopTimeout(_ app: AppID) -> Duration {
        let periods = target?[app]?.services.map { $0.composition.stopGracePeriod ?? 10 } ?? []
        return .seconds(periods.max() ?? 10)
    }
}
