import Glibc
import NIOCore
import NIOHTTP1
import UnixHTTP

/// Passes commands on to the supervisor's API.
struct CoreClient: Sendable {
    private let client: UnixHTTPClient

    /// Bytes of an answer's body; a larger one would not fit into a message, either.
    private static let answerLimit = CommandAnswer.sizeLimit
    /// A shutdown of containers may take minutes; the service gives up long before.
    private static let time = Duration.seconds(600)
    private static let silent = "the supervisor on this device does not answer"

    init(socket: String, loop: any EventLoop) {
        client = UnixHTTPClient(path: socket, loop: loop)
    }

    func perform(_ command: Command) async throws(CommandRefusal) -> UnixHTTPResponse {
        var headers: HTTPHeaders = ["X-Request-Id": command.id]
        if !command.actor.isEmpty { headers.add(name: "X-Supervisor-Actor", value: command.actor) }
        if !command.body.isEmpty { headers.add(name: "Content-Type", value: "application/json") }
        do throws(UnixHTTPError) {
            return try await client.request(
                command.method,
                command.url,
                headers: headers,
                body: command.body,
                timeout: Self.time,
                limit: Self.answerLimit
            )
        } catch {
            throw switch error.reason {
            case .connectFailed, .transportFailed: CommandRefusal(command.id, 503, Self.silent, mayComeAgain: true)
            case .closed, .timedOut, .malformedAnswer:
                CommandRefusal(
                    command.id,
                    command.changesSomething ? 502 : 503,
                    command.changesSomething
                        ? "the supervisor on this device ended before it answered; the outcome is not known"
                        : Self.silent
                )
            case .answerTooLarge:
                CommandRefusal(
                    command.id,
                    502,
                    "the answer of the supervisor is larger than \(Self.answerLimit >> 10) kB"
                )
            case .invalidRequest: CommandRefusal(command.id, 400, "the command cannot be written as a request")
            case .cancelled: CommandRefusal(command.id, 504, "the caller has gone")
            }
        }
    }
}
