import SupervisorCore
import Testing

@testable import SupervisorHTTP

@Suite struct BodyTests {
    private static let form = "application/x-www-form-urlencoded"

    private func body(_ text: String, _ contentType: String? = nil) throws -> RequestBody {
        try RequestBody(Array(text.utf8), contentType: contentType)
    }

    @Test("A form has a thousand fields at most")
    func fields() throws {
        func form(_ count: Int) -> String { (0..<count).map { "\($0)=" }.joined(separator: "&") }
        #expect(throws: Never.self) { try body(form(1000), Self.form) }
        #expect(throws: SupervisorError.self) { try body(form(1001), Self.form) }
    }

    @Test(
        "Only a clear yes is force",
        arguments: [
            (#"{"force":true}"#, true), (#"{"force":1}"#, true), (#"{"force":"1"}"#, true),
            (#"{"force":"true"}"#, true),
            (#"{"force":"TRUE"}"#, true), (#"{"force":"On"}"#, true), (#"{"x":2,"force":true,"y":null}"#, true),
            (#"{"force":false}"#, false), (#"{"force":0}"#, false), (#"{"force":2}"#, false), (#"{"force":-1}"#, false),
            (#"{"force":"yes"}"#, false), (#"{"force":" true"}"#, false), (#"{"force":""}"#, false),
            (#"{"force":null}"#, false), (#"{"force":[true]}"#, false), (#"{"force":{}}"#, false),
            (#"{"Force":true}"#, false),
            ("{}", false), ("", false),
        ]
    )
    func force(_ text: String, _ expected: Bool) throws {
        #expect(try body(text).force == expected)
    }

    @Test(
        "An appId is a whole number, or a string of digits only",
        arguments: [
            (#"{"appId":2167}"#, 2167), (#"{"appId":"2167"}"#, 2167), (#"{"appId":0}"#, 0), (#"{"appId":"007"}"#, 7),
            (#"{"appId":9223372036854775807}"#, .max),
            (#"{"appId":-1}"#, nil), (#"{"appId":"-1"}"#, nil), (#"{"appId":"+1"}"#, nil), (#"{"appId":1.0}"#, 1),
            (#"{"appId":1e3}"#, 1000), (#"{"appId":1.5}"#, nil), (#"{"appId":1e300}"#, nil), (#"{"appId":" 1"}"#, nil),
            (#"{"appId":""}"#, nil), (#"{"appId":"0x1"}"#, nil),
            (#"{"appId":"\u0661"}"#, nil), (#"{"appId":9223372036854775808}"#, nil), (#"{"appId":true}"#, nil),
            (#"{"appId":null}"#, nil), (#"{"appId":[1]}"#, nil), (#"{"appid":1}"#, nil), ("{}", nil), ("", nil),
        ] as [(String, Int64?)]
    )
    func appID(_ text: String, _ expected: Int64?) throws {
        let body = try body(text)
        if let expected {
            #expect(try body.appID == AppID(expected))
        } else {
            #expect(throws: SupervisorError.self) { try body.appID }
        }
    }

    @Test("JSON is JSON whatever the content type says", arguments: [nil, form, "text/plain", "application/json", "x"])
    func contentType(_ contentType: String?) throws {
        #expect(try body(#" {"force":true} "#, contentType).force)
    }

    @Test(
        "What is not JSON and says that it is a form is read as one",
        arguments: [
            ("force=true&appId=12", true), ("appId=12", false), ("&appId=%312&force=%6Fn&&", true),
            ("appId=12&force", false),
        ]
    )
    func forms(_ text: String, _ force: Bool) throws {
        for contentType in [Self.form, "Application/X-WWW-Form-URLEncoded; charset=utf-8", " \(Self.form) ;x"] {
            let body = try body(text, contentType)
            #expect(try body.appID == AppID(12))
            #expect(body.force == force)
        }
    }

    @Test(
        "Anything else is refused",
        arguments: [
            ("appId=12", nil), ("appId=12", "text/plain"), (" ", nil), ("[]", nil), ("12", form), (#""x""#, nil),
            ("null", nil),
            (#"{"a":1,"a":2}"#, nil), ("{} {}", nil), ("a=%zz", form), ("a=%ff", form), ("a=1&a=2", form),
            ("{", "application/json"),
        ] as [(String, String?)]
    )
    func refused(_ text: String, _ contentType: String?) {
        let error = #expect(throws: SupervisorError.self) { try body(text, contentType) }
        #expect(error?.code == .invalidArgument)
    }
}
