import Glibc
import Testing
import UnixHTTP

@testable import superctl

struct ControlClientTests {
    @Test(
        arguments: [
            (423, "Updates are locked", .notNow, "Updates are locked"),
            (503, #"{"Data":"","Error":"the engine is away"}"#, .notNow, "the engine is away"),
            (
                400, "device-supervisor.conf:3: Port: not a number", .failed,
                "device-supervisor.conf:3: Port: not a number"
            ),
            (404, "App not found", .failed, "App not found"),
            (500, "", .failed, "the supervisor answered with status 500 and no reason"),
            (500, "bell\u{7}", .failed, "bell\u{FFFD}"),
        ] as [(Int, String, ControlError.Kind, String)]
    )
    func `an answer that is no success keeps its reason`(
        status: Int,
        body: String,
        kind: ControlError.Kind,
        message: String
    ) {
        #expect(ControlClient.failure(status: status, body: Array(body.utf8)) == ControlError(kind, message))
    }

    @Test(
        arguments: [
            (.connectFailed(ENOENT), .unreachable), (.connectFailed(ECONNREFUSED), .unreachable),
            (.connectFailed(EACCES), .noPermission), (.connectFailed(EPERM), .noPermission),
            (.connectFailed(EAGAIN), .notNow), (.closed(answerBegun: false), .unreachable),
            (.timedOut(.seconds(15)), .unreachable), (.malformedAnswer("x"), .failed),
        ] as [(UnixHTTPError.Reason, ControlError.Kind)]
    )
    func `no answer names the socket and has its own exit status`(
        reason: UnixHTTPError.Reason,
        kind: ControlError.Kind
    ) {
        let failure = ControlClient.failure(UnixHTTPError(reason, path: "/run/s.sock"))
        #expect(failure.kind == kind)
        #expect(failure.message.contains("/run/s.sock"))
    }
}
