import JSON
import Testing

@testable import superctl

struct AppArgumentTests {
    private static let two: JSONValue = [
        "apps": [["appId": 1, "name": "one"], ["appId": 22, "name": "two"], ["appId": 3, "name": "two"]]
    ]
    private static let one: JSONValue = ["apps": [["appId": 2167, "name": "demo"]]]

    @Test func `the only application need not be named`() throws {
        #expect(try AppArgument.choose(nil, in: Self.one) == 2167)
    }

    @Test func `a name stands for its number`() throws {
        #expect(try AppArgument.choose("one", in: Self.two) == 1)
    }

    @Test(
        arguments: [
            (nil, two, .usage, "which application? Give its number: 1 (one), 22 (two), 3 (two)"),
            ("two", two, .usage, "which application? Give its number: 1 (one), 22 (two), 3 (two)"),
            ("three", two, .failed, "there is no application three; there are: 1 (one), 22 (two), 3 (two)"),
            (nil, [:], .failed, "this device has no application"),
            ("demo", ["apps": []], .failed, "this device has no application"),
        ] as [(String?, JSONValue, ControlError.Kind, String)]
    )
    func `what is not one application says so`(
        name: String?,
        status: JSONValue,
        kind: ControlError.Kind,
        message: String
    ) {
        #expect(throws: ControlError(kind, message)) { try AppArgument.choose(name, in: status) }
    }
}
