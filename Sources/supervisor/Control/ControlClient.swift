import Glibc
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import SupervisorCommandLine
import UnixHTTP

/// Sends requests to the control socket, and explains failures for people.
struct ControlClient: Sendable {
    /// For requests that are answered at once.
    static let brief = Duration.seconds(15)
    /// For requests that wait for containers to stop and start.
    static let long = Duration.seconds(600)
    /// For requests that wait for another party.
    static let forever = Duration.seconds(10 * 365 * 86400)

    private let http: UnixHTTPClient

    init(socket: String) {
        http = UnixHTTPClient(path: socket, loop: MultiThreadedEventLoopGroup(numberOfThreads: 1).next())
    }

    /// Lets time pass.
    func pause(_ duration: Duration) async {
        // A task of the loop that cannot fail.
        try? await http.loop.scheduleTask(in: TimeAmount(duration)) {}.futureResult.get()
    }

    /// The body of a successful answer.
    func get(_ target: String, timeout: Duration = brief) async throws(ControlError) -> [UInt8] {
        try await exchange(.GET, target, nil, timeout)
    }

    /// The body of a successful answer.
    @discardableResult
    func post(
        _ target: String,
        _ body: JSONValue = [:],
        timeout: Duration = long
    ) async throws(ControlError) -> [UInt8] {
        try await exchange(.POST, target, body, timeout)
    }

    /// A successful answer as JSON.
    func getJSON(_ target: String, timeout: Duration = brief) async throws(ControlError) -> JSONValue {
        try Self.json(try await get(target, timeout: timeout))
    }

    /// A successful answer as JSON.
    func postJSON(
        _ target: String,
        _ body: JSONValue,
        timeout: Duration = long
    ) async throws(ControlError) -> JSONValue {
        try Self.json(try await post(target, body, timeout: timeout))
    }

    /// Hands each line of an answer to `handle`, on the event loop, until it returns false.
    ///
    /// - Returns: Whether the stream came to its end: false where `handle` wanted no more.
    func stream(
        _ target: String,
        _ handle: @escaping @Sendable (JSONValue) -> Bool
    ) async throws(ControlError) -> Bool {
        let end: (response: UnixHTTPResponse, consumer: LineConsumer)
        do {
            end = try await http.stream(
                .GET,
                target,
                headTimeout: Self.brief,
                idleTimeout: nil,
                into: LineConsumer(handle: handle)
            )
        } catch {
            guard case .closed(answerBegun: true) = error.reason else { throw Self.failure(error) }
            throw ControlError(.unreachable, "the connection to the supervisor ended")
        }
        guard end.response.isSuccess else {
            throw Self.failure(status: end.response.status, body: end.response.body)
        }
        if let failure = end.consumer.failure { throw ControlError(.failed, failure) }
        return !end.consumer.wasStopped
    }

    private static func json(_ body: [UInt8]) throws(ControlError) -> JSONValue {
        do {
            return try JSONValue(parsing: body)
        } catch {
            throw ControlError(.failed, "the supervisor answered something that is not JSON: \(error)")
        }
    }

    private func exchange(
        _ method: HTTPMethod,
        _ target: String,
        _ body: JSONValue?,
        _ timeout: Duration
    ) async throws(ControlError) -> [UInt8] {
        let response: UnixHTTPResponse
        do {
            response = try await http.request(
                method,
                target,
                headers: body == nil ? [:] : ["Content-Type": "application/json"],
                body: body?.encoded() ?? [],
                timeout: timeout,
                limit: 1 << 20
            )
        } catch {
            throw Self.failure(error)
        }
        guard response.isSuccess else { throw Self.failure(status: response.status, body: response.body) }
        return response.body
    }

    /// The failure that an unsuccessful answer means.
    static func failure(status: Int, body: [UInt8]) -> ControlError {
        // Some endpoints answer text, others {"Data":"","Error":"…"}.
        let text = (try? JSONValue(parsing: body))?["Error"]?.stringValue ?? String(decoding: body, as: UTF8.self)
        let message = TerminalText.safe(text)
        let shown = message.isEmpty ? "the supervisor answered with status \(status) and no reason" : message
        return ControlError(status == 423 || status == 503 ? .notNow : .failed, shown)
    }

    /// The failure when there is no answer.
    static func failure(_ error: UnixHTTPError) -> ControlError {
        switch error.reason {
        case .connectFailed(EACCES), .connectFailed(EPERM):
            ControlError(
                .noPermission,
                """
                no permission to use \(error.path)
                Run it as root, or as a member of the group device-supervisor.
                """
            )
        case .connectFailed(EAGAIN):
            ControlError(.notNow, "too many clients are waiting at \(error.path)")
        case .connectFailed:
            ControlError(
                .unreachable,
                """
                the supervisor is not reachable: \(error)
                Check whether it is running: systemctl status device-supervisor
                If its socket is elsewhere, name it: superctl --socket PATH …
                """
            )
        case .closed, .timedOut:
            ControlError(
                .unreachable,
                """
                \(error); the request may or may not have been carried out
                Check with: superctl status, journalctl -u device-supervisor
                """
            )
        case .transportFailed, .answerTooLarge, .malformedAnswer, .invalidRequest, .cancelled:
            ControlError(.failed, "\(error)")
        }
    }
}
