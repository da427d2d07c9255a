import NIOCore
import SupervisorCore
import SupervisorEventLoop

/// Owns the tasks that bring lines to clients who watch.
///
/// A line is taken from its stream when the kernel has taken the one before, so that a client who does not read keeps
/// nothing but its own stream waiting. On the event loop only.
final class Streams {
    typealias ID = Int
    typealias Body = @Sendable (Request, any DeviceAPI) async throws(SupervisorError) -> LineStream

    private struct Entry {
        var connection: Connection
        /// nil while the device has not opened it.
        var lines: LineStream?
        var isUnwanted = false
        /// Ends with the stream.
        var task: Task<Void, Never>?
    }

    private let executor: LoopExecutor
    private let device: any DeviceAPI
    private let limits: HTTPLimits
    private var entries: [ID: Entry] = [:]
    private var lastID: ID = 0

    init(executor: LoopExecutor, device: any DeviceAPI, limits: HTTPLimits) {
        self.executor = executor
        self.device = device
        self.limits = limits
    }

    /// nil where there are too many.
    func begin(_ request: Request, _ body: @escaping Body, for connection: Connection) -> ID? {
        if entries.count >= limits.streams { makeRoom() }
        guard entries.count < limits.streams else { return nil }
        lastID += 1
        let id = lastID
        entries[id] = Entry(connection: connection)
        let owner = NIOLoopBound(self, eventLoop: executor.loop)
        let connection = NIOLoopBound(connection, eventLoop: executor.loop)
        entries[id]?.task = Task(executorPreference: executor) { [device] in
            var failure: SupervisorError?
            do throws(SupervisorError) {
                let lines = try await body(request, device)
                if owner.value.opened(id, lines), connection.value.openStream() {
                    while let bytes = await lines.next() {
                        let written = connection.value.write(lines: bytes)
                        do { try await written.get() } catch { break }
                    }
                }
                await lines.cancel()
            } catch {
                failure = error
            }
            owner.value.entries[id] = nil
            connection.value.endStream(failure)
        }
        return id
    }

    /// The client has left.
    func abandon(_ id: ID) {
        entries[id]?.isUnwanted = true
        entries[id]?.lines?.assumeIsolated { $0.cancel() }
    }

    /// What waits is still written.
    func finish(_ id: ID) {
        entries[id]?.isUnwanted = true
        entries[id]?.lines?.assumeIsolated { $0.finish() }
    }

    private func opened(_ id: ID, _ lines: LineStream) -> Bool {
        guard entries[id]?.isUnwanted == false else { return false }
        entries[id]?.lines = lines
        return true
    }

    /// Closes the connection of the client that has taken nothing for longest.
    private func makeRoom() {
        let now = NIODeadline.now()
        let stalled = entries.filter { entry in
            entry.value.connection.stalledSince.map { now - $0 >= limits.stallTime } ?? false
        }
        let longest = stalled.min { one, other in
            (one.value.connection.stalledSince ?? now) < (other.value.connection.stalledSince ?? now)
        }
        guard let longest else { return }
        entries[longest.key] = nil
        longest.value.lines?.assumeIsolated { $0.cancel() }
        longest.value.connection.close()
    }
}
