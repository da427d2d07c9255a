import HTTPTestSupport
import JSON
import SupervisorCore
import Testing

@testable import SupervisorEngine

@Suite("Networks and volumes of an engine", .timeLimit(.minutes(1)))
struct DockerEngineNetworkTests {
    @Test("are listed by label")
    func networks() async throws {
        let list = #"""
            [{"Name":"7_front","Id":"abc","Driver":"bridge","Labels":{"io.app":"7"},
              "IPAM":{"Config":[{"Subnet":"172.30.0.0/24","Gateway":"172.30.0.1"}]},
              "Options":{"com.docker.network.bridge.name":"supervisor0"}},
             {"Name":"odd","Id":"def","Driver":"macvlan","Labels":null,"IPAM":{"Config":null},
              "Options":{"com.docker.network.bridge.name":"supervisor1"}}]
            """#
        try await ScriptedEngine.run { _ in
            [.answer(200, list)]
        } _: { engine, server async throws in
            #expect(
                try await engine.networks(label: "io.app") == [
                    EngineNetwork(
                        id: "abc",
                        name: "7_front",
                        labels: ["io.app": "7"],
                        bridge: "supervisor0",
                        gateway: "172.30.0.1",
                        subnets: ["172.30.0.0/24"]
                    ),
                    EngineNetwork(id: "def", name: "odd", labels: [:]),
                ]
            )
            #expect(server.calls == ["GET /v1.41/networks?filters=%7B%22label%22%3A%5B%22io.app%22%5D%7D"])
        }
    }

    @Test("are made of bridges with the names that we choose")
    func createNetwork() async throws {
        try await ScriptedEngine.run { _ in
            [.answer(201, #"{"Id":"abc","Warning":""}"#)]
        } _: { engine, server async throws in
            var specification = NetworkSpecification(name: "7_front", bridge: "supervisor0")
            #expect(try await engine.create(specification) == "abc")
            #expect(
                server.requests.last?.body
                    == #"{"Name":"7_front","CheckDuplicate":true,"Driver":"bridge","#
                    + #""Options":{"com.docker.network.bridge.name":"supervisor0"},"Labels":{}}"#
            )
            specification.labels = ["b": "2", "a": "1"]
            specification.isInternal = true
            specification.enablesIPv6 = true
            specification.subnets = [
                .init(subnet: "172.30.0.0/24", gateway: "172.30.0.1", range: "172.30.0.128/25"),
                .init(subnet: "fd00:1::/64"),
            ]
            specification.options = ["com.docker.network.driver.mtu": "1400", "com.docker.network.bridge.name": "mine"]
            #expect(try await engine.create(specification) == "abc")
            let expected = try JSONValue(
                parsing: #"""
                    {"Name":"7_front","CheckDuplicate":true,"Driver":"bridge","Internal":true,"EnableIPv6":true,
                     "IPAM":{"Config":[
                       {"Subnet":"172.30.0.0/24","Gateway":"172.30.0.1","IPRange":"172.30.0.128/25"},
                       {"Subnet":"fd00:1::/64"}]},
                     "Options":{"com.docker.network.bridge.name":"supervisor0","com.docker.network.driver.mtu":"1400"},
                     "Labels":{"a":"1","b":"2"}}
                    """#
            )
            #expect(server.requests.last?.body == expected.text)
            #expect(server.calls == ["POST /v1.41/networks/create", "POST /v1.41/networks/create"])
        }
    }

    @Test("are listed and made as volumes")
    func volumes() async throws {
        let list = #"""
            {"Volumes":[{"Name":"7_cache","Driver":"local","Labels":{"io.app":"7"}},{"Name":"x","Labels":null}],
             "Warnings":null}
            """#
        try await ScriptedEngine.run { request in
            [.answer(request.method == "GET" ? 200 : 201, request.method == "GET" ? list : #"{"Name":"7_cache"}"#)]
        } _: { engine, server async throws in
            #expect(
                try await engine.volumes(label: "io.app") == [
                    EngineVolume(name: "7_cache", labels: ["io.app": "7"]), EngineVolume(name: "x", labels: [:]),
                ]
            )
            var specification = VolumeSpecification(name: "7_cache")
            specification.labels = ["io.app": "7"]
            specification.options = ["type": "tmpfs", "device": "tmpfs"]
            try await engine.create(specification)
            #expect(
                server.requests.last?.body
                    == #"{"Name":"7_cache","Driver":"local","DriverOpts":{"device":"tmpfs","type":"tmpfs"},"#
                    + #""Labels":{"io.app":"7"}}"#
            )
            #expect(
                server.calls == [
                    "GET /v1.41/volumes?filters=%7B%22label%22%3A%5B%22io.app%22%5D%7D", "POST /v1.41/volumes/create",
                ]
            )
        }
    }

    @Test("may be none at all")
    func none() async throws {
        try await ScriptedEngine.run { request in
            [.answer(200, request.target.hasPrefix("/volumes") ? #"{"Volumes":null,"Warnings":null}"# : "[]")]
        } _: { engine, _ async throws in
            #expect(try await engine.volumes(label: "x").isEmpty)
            #expect(try await engine.networks(label: "x").isEmpty)
        }
    }

    @Test("are malformed where the answer is no list", arguments: ["", "1", "{}", "[1]", "[{}]", #"{"Volumes":[{}]}"#])
    func malformed(body: String) async throws {
        try await ScriptedEngine.run { _ in
            [.answer(200, body)]
        } _: { engine, _ async throws in
            let expected = EngineError.Code.malformedAnswer
            #expect(await code { () throws(EngineError) in try await engine.networks(label: "x") } == expected)
            #expect(await code { () throws(EngineError) in try await engine.volumes(label: "x") } == expected)
            let network = NetworkSpecification(name: "net", bridge: "b")
            #expect(await code { () throws(EngineError) in try await engine.create(network) } == expected)
        }
    }

    @Test(
        "fail with what the engine says",
        arguments: [
            (204, nil, ""),
            (404, nil, #"{"message":"network 7_front not found"}"#),
            (403, .conflict, #"{"message":"error while removing network: network a id b has active endpoints"}"#),
            (500, .failed, #"{"message":"because"}"#),
        ] as [(Int, EngineError.Code?, String)]
    )
    func removal(status: Int, expected: EngineError.Code?, body: String) async throws {
        try await ScriptedEngine.run { _ in
            [.answer(status, body)]
        } _: { engine, server async throws in
            #expect(await code { () throws(EngineError) in try await engine.remove(network: "7_front") } == expected)
            #expect(server.calls == ["DELETE /v1.41/networks/7_front"])
        }
    }
}
