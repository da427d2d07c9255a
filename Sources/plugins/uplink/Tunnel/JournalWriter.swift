import SupervisorEventLoop
import Synchronization

/// Writes the journal on a thread that lasts as long as there is something to write, one id after the other.
final class JournalWriter: Sendable {
    private let worker = TransientWorker(name: "commands", limit: 32)
    /// Held while a thread writes.
    private let journal: Mutex<CommandJournal>

    init(_ journal: sending CommandJournal) {
        self.journal = Mutex(journal)
    }

    /// Returns when the id is on the disk.
    func append(_ id: String) async throws {
        try await worker.run { try self.journal.withLock { try $0.append(id) } }
    }
}
