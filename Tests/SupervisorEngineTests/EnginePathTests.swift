import JSON
import SupervisorCore
import Testing

@testable import SupervisorEngine

@Suite("The target of a request")
struct EnginePathTests {
    @Test("has everything encoded that could end a part of it")
    func encoding() {
        let target = EnginePath(
            ["a/b", "..?#", "c:d@e", "%ä \r\n"],
            query: ["f&=": "g&h=i+j k", "n": nil, "t": ""]
        )
        #expect(target.description == "/a%2Fb/..%3F%23/c:d@e/%25%C3%A4%20%0D%0A?f%26%3D=g%26h%3Di%2Bj%20k&t=")
    }

    @Test(
        "takes names of containers in the engine's grammar only",
        arguments: [
            ("app", true), ("app_1.2-3", true), (String(repeating: "0123456789abcdef", count: 4), true), ("0", true),
            ("", false), ("a/b", false), ("..", false), (".a", false), ("-a", false), ("a?b", false), ("a b", false),
            ("a%2f", false), ("a\r\nX: y", false), ("ä", false), (String(repeating: "a", count: 256), false),
        ]
    )
    func names(text: String, isValid: Bool) {
        #expect(((try? EngineName(text, of: "container")) != nil) == isValid)
    }

    @Test("shows a full id in short")
    func short() throws {
        #expect(try EngineName(String(repeating: "0123456789abcdef", count: 4), of: "x").description == "0123456789ab")
        #expect(try EngineName("app", of: "x").description == "app")
    }
}

@Suite("The version of the engine's API")
struct EngineAPIVersionTests {
    @Test(
        "is the preferred one where the engine has it, else the nearest",
        arguments: [
            ("1.12", "1.41", "1.41"),
            ("1.24", "1.41", "1.41"),
            ("1.12", "1.47", "1.41"),
            ("1.12", "1.38", "1.38"),
            ("1.44", "1.52", "1.44"),
            (nil, "1.9", "1.9"),
            (nil, "2.0", "1.41"),
        ] as [(String?, String, String)]
    )
    func agreed(minimum: String?, maximum: String, expected: String) throws {
        let maximum = try #require(EngineAPIVersion(maximum))
        #expect(
            EngineAPIVersion.agreed(minimum: minimum.flatMap { EngineAPIVersion($0) }, maximum: maximum)
                .description == expected
        )
    }

    @Test("is two numbers", arguments: ["", "1", "1.", ".1", "1.2.3", "1.x", "-1.2", "1. 2", "v1.41"])
    func refused(text: String) {
        #expect(EngineAPIVersion(text) == nil)
    }
}

@Suite("The gateway of a network")
struct GatewayTests {
    @Test(
        "is the configured one, else the first address of the subnet",
        arguments: [
            (#"{"IPAM":{"Config":[{"Subnet":"172.18.0.0/16","Gateway":"172.18.0.9"}]}}"#, "172.18.0.9"),
            (#"{"IPAM":{"Config":[{"Subnet":"172.18.0.0/16","Gateway":"172.18.0.9/16"}]}}"#, "172.18.0.9"),
            (#"{"IPAM":{"Config":[{"Subnet":"172.17.0.0/16"}]}}"#, "172.17.0.1"),
            (#"{"IPAM":{"Config":[{"Subnet":"10.1.2.130/25"}]}}"#, "10.1.2.129"),
            (#"{"IPAM":{"Config":[{"Subnet":"fd00::/64","Gateway":"fd00::1"},{"Subnet":"10.0.0.0/8"}]}}"#, "10.0.0.1"),
            (#"{"IPAM":{"Config":[{"Subnet":"255.255.255.255/32"}]}}"#, nil),
            (#"{"IPAM":{"Config":[{"Subnet":"1.2.3.0/33"}]}}"#, nil),
            (#"{"IPAM":{"Config":[{"Gateway":"1.2.3"}]}}"#, nil),
            (#"{"IPAM":{"Config":[]}}"#, nil),
            (#"{"IPAM":{"Config":null}}"#, nil),
            ("[]", nil),
        ] as [(String, String?)]
    )
    func gateway(network: String, expected: String?) throws {
        #expect(DockerEngine.gateway(of: try .init(parsing: network)) == expected)
    }
}
