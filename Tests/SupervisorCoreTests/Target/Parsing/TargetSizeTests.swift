import JSON
import Testing

@testable import SupervisorCore

/// Targets of a size that no device has: read in time that grows with their size, or refused with the bound.
@Suite(.timeLimit(.minutes(3)))
struct TargetSizeTests {
    struct Large: Sendable, CustomTestStringConvertible {
        var name: String
        var document: @Sendable () -> JSONValue
        /// Part of the reason why it is refused; nil where it is not.
        var reason: String?

        var testDescription: String { name }

        init(_ name: String, _ reason: String?, _ document: @escaping @Sendable () -> JSONValue) {
            (self.name, self.reason, self.document) = (name, reason, document)
        }

        static func service(_ name: String, _ reason: String?, _ value: @escaping @Sendable () -> JSONValue) -> Large {
            Large("\(name): \(reason ?? "accepted")", reason) {
                Sample.target((1, Sample.app("app:1", [String(name.prefix { $0 != " " }): value()])))
            }
        }
    }

    private static func marks(_ count: Int) -> JSONValue { .string(String(repeating: "\u{301}", count: count)) }

    private static func object(_ count: Int, _ value: @escaping (Int) -> (String, JSONValue)) -> JSONValue {
        .object(JSONObject((0..<count).map(value).map { JSONObject.Member(name: $0.0, value: $0.1) }) ?? [:])
    }

    /// - Parameter dependencies: of each, by number.
    private static func services(_ count: Int, _ dependencies: @escaping (Int) -> Range<Int>) -> JSONValue {
        let services = object(count) { number in
            let others = dependencies(number).map { JSONValue.string("s\($0 % count)") }
            return (
                "\(number)",
                ["serviceName": .string("s\(number)"), "image": "i", "depends_on": .array(others)]
            )
        }
        return Sample.target((1, ["commit": "c", "services": services]))
    }

    private static let whole = "1048576 are allowed"
    private static let word = "131071 are allowed"

    static let large: [Large] = [
        .service("command", whole) { .string(String(repeating: "a ", count: 1_500_000)) },
        .service("command of marks", word) { marks(400_000) },
        .service("command of words", nil) { .string(String(repeating: "a ", count: 400_000)) },
        .service("entrypoint", word) { .array([marks(100_000)]) },
        .service("environment", nil) { object(20_000) { ("V\($0)", .string("\($0)")) } },
        .service("environment of marks", nil) { object(7) { ("V\($0)", marks(60_000)) } },
        .service("environment with a large name", "1024") {
            object(1) { _ in (String(repeating: "n", count: 5000), "") }
        },
        .service("environment with names of marks", "64") {
            object(1000) { (String(repeating: "\u{301}", count: 300) + "\($0)", "") }
        },
        .service("environment too large", word) { ["A": .string(String(repeating: "x", count: 131_071))] },
        .service("environment just so", nil) { ["A": .string(String(repeating: "x", count: 131_069))] },
        .service("labels", whole) { object(20) { ("l\($0)", .string(String(repeating: "x", count: 60_000))) } },
        .service("labels with names of marks", "64") {
            object(1) { _ in (String(repeating: "\u{301}", count: 300_000), "") }
        },
        .service("ports", "expected [[ADDRESS:]HOST:]CONTAINER") { .array([marks(400_000)]) },
        .service("volumes", "expected /HOST/PATH") { .array([marks(400_000)]) },
        .service("devices", "expected /dev/NAME") { .array([marks(400_000)]) },
        .service("tmpfs", "not an absolute path") { .array([marks(400_000)]) },
        .service("restart", "not one of") { marks(400_000) },
        .service("network_mode", "not one of") { marks(400_000) },
        .service("networks", "letters, digits") {
            object(1) { _ in (String(repeating: "\u{301}", count: 400_000), nil) }
        },
        .service("depends_on", "no service") { .array((0..<100_000).map { .string("s\($0)") }) },
        .service("stop_grace_period", "such as 30s") { marks(400_000) },
        .service("mem_limit", "such as 67108864") { marks(400_000) },
        .service("serviceName", "letters, digits") { marks(400_000) },
        .service("image", "must not be empty") { marks(400_000) },
        .service("unknown", nil) { marks(400_000) },
        Large("10,000 services", "1000 are allowed") { services(10_000) { _ in 0..<0 } },
        Large("each depends on all before it", nil) { services(300) { 0..<$0 } },
        Large("a row", nil) { services(1000) { $0 < 999 ? $0 + 1..<$0 + 2 : 0..<0 } },
        Large("a circle", "wait for each other") { services(1000) { $0 + 1..<$0 + 2 } },
        Large("commit", "255 are allowed") { Sample.target((1, ["commit": marks(400_000), "services": [:]])) },
        Large("name", "255 are allowed") {
            Sample.target((1, ["name": marks(400_000), "commit": "c", "services": [:]]))
        },
        Large("unknown members", nil) {
            Sample.target((1, ["commit": "c", "services": [:], "x": object(100_000) { ("m\($0)", 1) }]))
        },
    ]

    @Test(arguments: large)
    func `a large target is read, or refused with its bound, in time`(case large: Large) throws {
        var parser = TargetParser()
        let target = try parser.parse(large.document())
        let reason = parser.rejections.first?.error.reason
        guard let expected = large.reason else {
            #expect(reason == nil)
            let builder = ContainerBuilder(
                identity: Bench.identity,
                apiKey: "k",
                apiPort: 1,
                directories: AppDirectories(dataDirectory: "/d", lockDirectory: "/l")
            )
            for app in target.apps {
                for service in app.services { _ = builder.specification(app: app, service: service, host: "h") }
            }
            return
        }
        #expect(reason?.contains(expected) == true, "\(reason ?? "accepted")")
        #expect(parser.rejections.allSatisfy { $0.error.description.utf8.count < 1000 })
    }
}
