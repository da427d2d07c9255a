import SupervisorPluginAPI
import Testing

@Suite struct FrameTests {
    /// Golden bytes: what goes over the wire, and the frame that it is.
    static let golden: [(line: String, frame: Frame)] = [
        (
            #"{"jsonrpc":"2.0","id":1,"method":"led.blink","params":{"durationMs":500}}"#,
            .request(id: .number(1), method: "led.blink", parameters: ["durationMs": 500])
        ),
        (
            #"{"jsonrpc":"2.0","id":"a b","method":"plugin.ping","params":{}}"#,
            .request(id: .text("a b"), method: "plugin.ping", parameters: [:])
        ),
        (
            #"{"jsonrpc":"2.0","method":"plugin.cancel","params":{"id":9007199254740991}}"#,
            .notification(method: "plugin.cancel", parameters: ["id": 9_007_199_254_740_991])
        ),
        (#"{"jsonrpc":"2.0","id":-1,"result":{}}"#, .result(id: .number(-1), [:])),
        (
            #"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no such method"}}"#,
            .failure(id: .number(2), PluginError(code: .methodNotFound, "no such method"))
        ),
        (
            #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not JSON"}}"#,
            .failure(id: nil, PluginError(code: .parseError, "not JSON"))
        ),
        (
            #"{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"away","data":"#
                + #"{"reason":"unavailable","retryable":true,"detail":"no bus","source":"org.example.Error"}}}"#,
            .failure(
                id: .number(3),
                PluginError(.unavailable, "away", detail: "no bus", source: "org.example.Error")
            )
        ),
    ]

    @Test(arguments: golden) func aFrameIsWrittenToTheByte(line: String, frame: Frame) {
        #expect(String(decoding: frame.encoded(), as: UTF8.self) == line + "\n")
    }

    @Test(arguments: golden) func aFrameIsReadAsItWasWritten(line: String, frame: Frame) throws {
        #expect(try Frame(parsing: line.utf8) == frame)
    }

    @Test func separatorsStandInAFrameAndEndItNowhere() throws {
        let text = "a\u{2028}b\u{2029}c\u{85}d\u{0B}e\u{0C}f\r\ng"
        let frame = Frame.request(id: .text(text), method: "plugin.ping", parameters: ["x": .string(text)])
        let bytes = frame.encoded()
        #expect(bytes.filter { $0 == 0x0A }.count == 1)
        #expect(bytes.last == 0x0A)
        #expect(try Frame(parsing: bytes.dropLast()) == frame)
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","id":1,"method":"plugin.ping"}"#,
        #" { "id" : 1 , "x" : [null] , "method" : "plugin.ping" , "params" : { } , "jsonrpc" : "2.0" } "#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"plugin.ping\",\"params\":{}}\r",
    ])
    func absentParamsUnknownMembersAndWhiteSpaceAreTaken(line: String) throws {
        #expect(try Frame(parsing: line.utf8) == .request(id: .number(1), method: "plugin.ping", parameters: [:]))
    }

    static let broken: [(line: String, kind: FrameError.Kind, id: RequestID?)] = [
        ("", .parse, nil),
        ("nonsense", .parse, nil),
        (#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a.b"}"#, .parse, nil),
        ("{} {}", .parse, nil),
        ("[]", .invalid, nil),
        (#"[{"jsonrpc":"2.0","id":1,"method":"a.b"}]"#, .invalid, nil),
        (#"{"id":4,"method":"a.b"}"#, .invalid, .number(4)),
        (#"{"jsonrpc":"1.0","id":4,"method":"a.b"}"#, .invalid, .number(4)),
        (#"{"jsonrpc":2.0,"id":4,"method":"a.b"}"#, .invalid, .number(4)),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"a.b"}"#, .invalid, nil),
        (#"{"jsonrpc":"2.0","id":true,"method":"a.b"}"#, .invalid, nil),
        (#"{"jsonrpc":"2.0","id":{},"method":"a.b"}"#, .invalid, nil),
        (#"{"jsonrpc":"2.0","id":null,"method":"a.b"}"#, .invalid, nil),
        (#"{"jsonrpc":"2.0","id":"x","method":7}"#, .invalid, .text("x")),
        (#"{"jsonrpc":"2.0","id":"x","method":"a.b","params":[]}"#, .invalid, .text("x")),
        (#"{"jsonrpc":"2.0","id":"x","method":"a.b","params":null}"#, .invalid, .text("x")),
        (#"{"jsonrpc":"2.0","id":5}"#, .invalid, .number(5)),
        (#"{"jsonrpc":"2.0","id":5,"result":{},"error":{"code":1,"message":""}}"#, .invalid, .number(5)),
        (#"{"jsonrpc":"2.0","result":{}}"#, .invalid, nil),
        (#"{"jsonrpc":"2.0","id":null,"result":{}}"#, .invalid, nil),
        (#"{"jsonrpc":"2.0","id":5,"error":{"code":"x","message":""}}"#, .invalid, .number(5)),
        (#"{"jsonrpc":"2.0","id":5,"error":{"code":1}}"#, .invalid, .number(5)),
        (#"{"jsonrpc":"2.0","id":5,"error":null}"#, .invalid, .number(5)),
    ]

    @Test(arguments: broken) func whatIsNoFrameIsRefusedWithItsID(line: String, kind: FrameError.Kind, id: RequestID?) {
        let error = #expect(throws: FrameError.self) { try Frame(parsing: line.utf8) }
        #expect(error?.kind == kind)
        #expect(error?.id == id)
    }

    @Test func aComplaintDoesNotShowTheLine() {
        let error = #expect(throws: FrameError.self) { try Frame(parsing: #"{"password":"hunter2""#.utf8) }
        #expect(error?.reason.utf8.count ?? 0 > 0)
        #expect(!"\(error as Any)".contains("hunter2"))
    }
}
