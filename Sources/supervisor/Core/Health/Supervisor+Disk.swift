import LinuxSupport
import Logging
import SupervisorPorts
import Synchronization

/// A disk that does not answer: a card that dies, a file server that is gone. Whoever asks such a disk blocks until it is
/// back, and that is the worker's only thread. What can be said or refused without the disk is.
extension Supervisor {
    /// How long a disk may take before its silence is an ailment and operations are refused. A card that an image is written
    /// to takes many seconds for a file of ours, and is none.
    static let diskPatience: Duration = .seconds(30)
    /// How long it may take for what somebody wants to be told now.
    static let diskShortPatience: Duration = .seconds(5)

    private static let noAnswer = SupervisorError(.unavailable, "The disk does not answer", retryAfter: 5)

    /// Throws `unavailable` where the disk does not answer. For what is about to change something: it would be done when the
    /// disk is back, at a time at which nobody expects it any more.
    func requireDisk(within patience: Duration = diskPatience) async throws(SupervisorError) {
        let directories = [parts.store.directory, parts.directories.dataDirectory]
        try await look(within: patience) {
            for directory in directories { _ = try? FileSystem.status(directory + "/.") }
        }
    }

    /// Runs on the worker what changes nothing. Throws `unavailable` where the disk has been silent for `patience`, be it
    /// towards an earlier look; what comes of this one later is dropped.
    func look<Value: Sendable>(
        within patience: Duration = diskPatience,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws(SupervisorError) -> Value {
        let clock = parts.clock
        let begun = clock.now
        let limit = (diskSilentSince ?? begun) + patience - begun
        guard limit > .zero else { throw Self.noAnswer }
        let result: Result<Value, SupervisorError> = await withCheckedContinuation { continuation in
            let answer = FirstAnswer(continuation)
            let alarm = Task(executorPreference: parts.executor) {
                do { try await clock.sleep(for: limit) } catch { return }
                await self.giveUp(answer, begun)
            }
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
        guard answer.resume(returning: .failure(Self.noAnswer)), diskSilentSince == nil else { return }
        diskSilentSince = begun
        logger.error("The disk has not answered for \((parts.clock.now - begun).components.seconds) s")
    }

    private func give<Value>(
        _ result: Result<Value, SupervisorError>,
        to answer: FirstAnswer<Result<Value, SupervisorError>>
    ) {
        guard !answer.resume(returning: result), let since = diskSilentSince else { return }
        diskSilentSince = nil
        logger.notice("The disk answers again, after \((parts.clock.now - since).components.seconds) s")
        trigger()
    }
}

/// A continuation for the first of several answers.
private final class FirstAnswer<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) {
        self.continuation = Mutex(continuation)
    }

    /// Returns whether it was the first.
    func resume(returning value: Value) -> Bool {
        let continuation = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        continuation?.resume(returning: value)
        return continuation != nil
    }
}
