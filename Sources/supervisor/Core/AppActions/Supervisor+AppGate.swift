import SupervisorPorts

/// Entering and leaving the gates of applications.
extension Supervisor {
    /// Enters the gate of an application, waiting its turn for at most `limit`. A caller that is let in must leave.
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

    /// How long a caller waits for the action before theirs: 10 s plus the time that a stop may take.
    func gatePatience(_ app: AppID) -> Duration {
        .seconds(10) + targetInForce.stopTimeout(app)
    }
}
