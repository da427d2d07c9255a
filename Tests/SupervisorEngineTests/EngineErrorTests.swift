import SupervisorCore
import Testing
import UnixHTTP

@testable import SupervisorEngine

@Suite("What the engine says when it refuses")
struct EngineErrorTests {
    private func error(_ status: Int, _ body: String) -> EngineError {
        EngineError(UnixHTTPResponse(status: status, body: Array(body.utf8)), attempting: "try")
    }

    @Test(
        "becomes one of our codes",
        arguments: [
            (400, #"{"message":"invalid reference format"}"#, EngineError.Code.invalid),
            (400, "client version 1.11 is too old", .invalid),
            (403, #"{"message":"denied"}"#, .failed),
            (
                403,
                #"{"message":"error while removing network: network a id b has active endpoints"}"#,
                .conflict
            ),
            (
                403,
                #"{"message":"cannot create network a (supervisor0): conflicts with network b (supervisor0): networks have same bridge name"}"#,
                .conflict
            ),
            (404, #"{"message":"No such container: x"}"#, .notFound),
            (
                409, #"{"message":"Conflict. The container name \"/x\" is already in use by container \"a\"."}"#,
                .conflict
            ),
            (500, #"{"message":"dial tcp 127.0.0.1:1: connect: connection refused"}"#, .failed),
            (500, #"{"message":"driver failed: bind: address already in use"}"#, .failed),
            (
                500,
                #"{"cause":"that name is already in use","message":"creating container storage: the container name \"x\" is already in use by a. You have to remove that container to be able to reuse that name: that name is already in use","response":500}"#,
                .conflict
            ),
            (
                500,
                #"{"cause":"container state improper","message":"cannot remove container a as it is running - running or paused containers cannot be removed without force: container state improper","response":500}"#,
                .conflict
            ),
            (502, "", .failed),
            (301, "", .malformedAnswer),
            (101, "", .malformedAnswer),
        ]
    )
    func codes(status: Int, body: String, code: EngineError.Code) {
        #expect(error(status, body).code == code)
    }

    @Test(
        "is quoted in one line of bounded length",
        arguments: [
            (#"{"message":"first\n\tsecond"}"#, "cannot try: first second"),
            ("plain\r\ntext", "cannot try: plain text"),
            ("", "cannot try: status 500"),
            (#"{"message":""}"#, "cannot try: status 500"),
            (#"{"reason":"other"}"#, #"cannot try: {"reason":"other"}"#),
        ]
    )
    func messages(body: String, message: String) {
        #expect(error(500, body).message == message)
    }

    @Test("is cut at 500 bytes, between scalars", arguments: ["ä", "e", "\u{301}", "\u{1F600}"])
    func long(_ scalar: String) {
        let message = error(500, String(repeating: scalar, count: 5000)).message
        let size = message.utf8.count - "cannot try: ".utf8.count
        #expect((500 - scalar.utf8.count...500).contains(size))
        #expect(message.utf8.suffix(scalar.utf8.count + 3).elementsEqual((scalar + "…").utf8))
    }

    @Test(
        "is told from an engine that cannot be asked",
        arguments: [
            (UnixHTTPError.Reason.connectFailed(2), EngineError.Code.unavailable),
            (.closed(answerBegun: false), .unavailable),
            (.closed(answerBegun: true), .unavailable),
            (.timedOut(.seconds(1)), .timeout),
            (.answerTooLarge(limit: 1), .malformedAnswer),
            (.malformedAnswer(""), .malformedAnswer),
            (.invalidRequest(""), .invalid),
            (.cancelled, .cancelled),
        ]
    )
    func transport(reason: UnixHTTPError.Reason, code: EngineError.Code) {
        let error = EngineError(UnixHTTPError(reason, path: "/run/e.sock"), attempting: "list containers")
        #expect(error.code == code)
        #expect(error.message.hasPrefix("cannot list containers: "))
        #expect(error.message.contains("/run/e.sock"))
    }
}
