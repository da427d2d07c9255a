import Glibc
import JSON
import SupervisorCommandLine

struct RebootCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "reboot",
        abstract: "Stop all applications and reboot the device.",
        discussion: PowerRequest.discussion,
        options: [.force]
    )

    private let request: PowerRequest

    init(_ arguments: CommandArguments) {
        request = PowerRequest(path: "/v1/reboot", name: "reboot", force: arguments.has(.force))
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String { try await request.make(client) }
}

struct PowerOffCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "power-off",
        abstract: "Stop all applications and power the device off.",
        discussion: PowerRequest.discussion,
        options: [.force]
    )

    private let request: PowerRequest

    init(_ arguments: CommandArguments) {
        request = PowerRequest(path: "/v1/shutdown", name: "shutdown", force: arguments.has(.force))
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String { try await request.make(client) }
}

/// What reboot and power-off have in common.
struct PowerRequest {
    static let discussion = """
        Respects update locks as the HTTP API does: while an application holds one, the holder is shown and the exit \
        status is 75. If the device stays up, the applications are started again.
        """

    var path: String
    /// For sentences.
    var name: String
    var force: Bool

    func make(_ client: ControlClient) async throws(ControlError) -> String {
        do throws(ControlError) {
            try await client.post(path, ["force": .bool(force)])
        } catch {
            guard error.kind == .notNow, !force else { throw error }
            throw await told(error, client)
        }
        return "The \(name) is under way."
    }

    /// With those who hold locks, if that is why.
    private func told(_ error: ControlError, _ client: ControlClient) async -> ControlError {
        let locks: [JSONValue]
        do throws(ControlError) {
            locks = try await client.getJSON("/control/locks").arrayValue ?? []
        } catch {
            return error
        }
        guard !locks.isEmpty else { return error }
        let table = LockReport(locks).lines(now: Int64(time(nil)), indent: 2).joined(separator: "\n")
        return ControlError(
            .notNow,
            "\(error.message)\n\(table)\nWait for them with superctl locks --wait, or proceed with --force."
        )
    }
}
