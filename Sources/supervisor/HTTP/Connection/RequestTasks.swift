import NIOCore
import SupervisorCore
import SupervisorEventLoop

/// Owns the tasks that answer requests.
///
/// A task outlives its connection, because what has begun is not taken back when the client leaves; its answer is
/// dropped then. Only what merely waits is cancelled. On the event loop only.
final class RequestTasks {
    typealias ID = Int
    typealias Body = @Sendable (Request, any DeviceAPI) async throws(SupervisorError) -> Response

    private struct Entry {
        var task: Task<Void, Never>
        var isWait: Bool
        /// nil once the client is gone.
        var deliver: ((Response) -> Void)?
    }

    private let executor: LoopExecutor
    private let device: any DeviceAPI
    /// Tasks at once, those whose clients have left included.
    var limit: Int
    private var entries: [ID: Entry] = [:]
    private var lastID: ID = 0

    init(executor: LoopExecutor, device: any DeviceAPI, limit: Int) {
        self.executor = executor
        self.device = device
        self.limit = limit
    }

    /// nil where too many are under way; else `deliver` is called once, later, unless the task is abandoned.
    func begin(_ route: Route, _ request: Request, _ body: @escaping Body, deliver: @escaping (Response) -> Void) -> ID?
    {
        guard entries.count < limit else { return nil }
        lastID += 1
        let id = lastID
        let owner = NIOLoopBound(self, eventLoop: executor.loop)
        let task = Task(executorPreference: executor) { [device, errors = route.errors] in
            let response: Response
            do throws(SupervisorError) {
                response = try await body(request, device)
            } catch {
                response = error.response(errors)
            }
            owner.value.ended(id, response)
        }
        let isWait = if case .wait = route.action { true } else { false }
        entries[id] = Entry(task: task, isWait: isWait, deliver: deliver)
        return id
    }

    /// The client has left.
    func abandon(_ id: ID) {
        entries[id]?.deliver = nil
        cancelWait(id)
    }

    /// Ends what merely waits; its client is answered that it was ended.
    func cancelWait(_ id: ID) {
        guard let entry = entries[id], entry.isWait else { return }
        entry.task.cancel()
    }

    private func ended(_ id: ID, _ response: Response) {
        entries.removeValue(forKey: id)?.deliver?(response)
    }
}
