import LinuxSupport
import Logging
import SupervisorPorts

/// A disk that does not answer: a card that dies, a file server that is gone. A call to such a disk blocks until it is back,
/// and that is the worker's only thread. What can be said or refused without the disk is.
extension Supervisor {
    private static let noAnswer = SupervisorError(.unavailable, "The disk does not answer", retryAfter: 5)

    /// Runs on the worker what changes nothing. Throws `unavailable` where the disk has been silent for `patience`, be it
    /// towards an earlier read; what comes of this one later is dropped.
    func readDisk<Value: Sendable>(
        within patience: Duration = DiskWatch.patience,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws(SupervisorError) -> Value {
        let begun = parts.clock.now
        guard let limit = disk.limit(within: patience, at: begun) else { throw Self.noAnswer }
        let result: Result<Value, SupervisorError> = await withCheckedContinuation { continuation in
            let answer = FirstAnswer(continuation)
            let alarm = after(limit) { $0.giveUp(answer, begun) }
            Task(executorPreference: parts.executor) {
                do throws(SupervisorError) {
                    await self.give(.success(try await self.onWorker(body)), to: answer)
                } catch {
                    await self.give(.failure(error), to: answer)
                }
                alarm.cancel()
            }
        }
        return try result.get()
    }

    private func giveUp<Value>(_ answer: FirstAnswer<Result<Value, SupervisorError>>, _ begun: Duration) {
        guard answer.resume(returning: .failure(Self.noAnswer)), disk.fellSilent(since: begun) else { return }
        logger.error("The disk has not answered for \((parts.clock.now - begun).components.seconds) s")
    }

    private func give<Value>(
        _ result: Result<Value, SupervisorError>,
        to answer: FirstAnswer<Result<Value, SupervisorError>>
    ) {
        guard !answer.resume(returning: result), let since = disk.answered() else { return }
        logger.notice("The disk answers again, after \((parts.clock.now - since).components.seconds) s")
        requestCheck()
    }
}
