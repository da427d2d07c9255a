import JSON
import Testing

@testable import SupervisorCore

struct TargetParserTests {
    @Test func `a whole target is read`() throws {
        let target = try Sample.parse(
            """
            {"name":"kiosk","config":{"RESIN_SUPERVISOR_OVERRIDE_LOCK":"1"},"apps":{
              "2168":{"commit":"d","services":{}},
              "2167":{"name":"my app","commit":"abc","releaseId":42,"services":{"9":{
                "serviceName":"main","imageId":77,"image":"registry.local:5000/app@sha256:00","running":false,
                "environment":{"TEXT":"a b","NUMBER":5,"FRACTION":0.5,"TRUE":true,"NOTHING":null},
                "labels":{"io.resin.update.strategy":"kill-then-download"}}},
                "volumes":{},"networks":{}}}}
            """
        )
        #expect(target.name == "kiosk")
        #expect(target.config == ["RESIN_SUPERVISOR_OVERRIDE_LOCK": "1"])
        #expect(target.apps.map(\.id.number) == [2167, 2168], "in order of id")
        let app = try #require(target[AppID(2167)])
        #expect(app.name == "my app")
        #expect(app.commit == "abc")
        #expect(app.releaseID == "42")
        let service = try #require(app.services.first)
        #expect(service.id == "9")
        #expect(service.name == "main")
        #expect(service.imageID == "77")
        #expect(service.image == "registry.local:5000/app@sha256:00")
        #expect(!service.running)
        #expect(
            service.environment == ["TEXT": "a b", "NUMBER": "5", "FRACTION": "0.5", "TRUE": "true", "NOTHING": ""]
        )
        #expect(service.strategy == .killThenDownload)
        #expect(service.definition["image"] == "registry.local:5000/app@sha256:00")
    }

    @Test func `what is left out has the defaults of the format`() throws {
        let target = try Sample.parse(Sample.document(service: ""))
        let app = try #require(target[AppID(1)])
        #expect(target.name == nil)
        #expect(app.name == "app-1")
        #expect(app.releaseID == "")
        let service = try #require(app.services.first)
        #expect(service.running)
        #expect(service.strategy == .downloadThenKill)
        #expect(service.composition == Composition())
        #expect(service.composition.networkMode == "host")
        #expect(service.composition.restart == .always)
        #expect(!service.composition.privileged)
    }

    @Test func `no applications is a target too`() throws {
        #expect(try Sample.parse(#"{"apps":{}}"#).apps.isEmpty)
    }

    @Test func `the local object may stand in the whole device state document`() throws {
        let inner = Sample.document(service: #""user":"1000""#)
        #expect(try Sample.parse(#"{"local":\#(inner),"dependent":{}}"#) == Sample.parse(inner))
    }

    @Test func `a place inside the local object is told from the top`() throws {
        let error = #expect(throws: TargetError.self) { try Sample.parse(#"{"local":{"apps":{"x":{}}}}"#) }
        #expect(error?.place == "local.apps.x")
        let missing = #expect(throws: TargetError.self) { try Sample.parse(#"{"local":{}}"#) }
        #expect(missing?.place == "local.apps")
    }

    @Test(arguments: [("io.resin.update.strategy"), ("io.balena.update.strategy")])
    func `the strategy is read from either label`(label: String) throws {
        let target = try Sample.parse(Sample.document(service: #""labels":{"\#(label)":"kill-then-download"}"#))
        #expect(target.apps.first?.services.first?.strategy == .killThenDownload)
    }

    @Test func `of both strategy labels the newer one wins`() throws {
        let labels =
            #""labels":{"io.resin.update.strategy":"kill-then-download","io.balena.update.strategy":"download-then-kill"}"#
        #expect(try Sample.parse(Sample.document(service: labels)).apps[0].services[0].strategy == .downloadThenKill)
    }

    @Test func `members that are not known are warnings with their place`() throws {
        var parser = TargetParser()
        let text = """
            {"zone":1,"apps":{"1":{"commit":"c","volumes":{},"color":2,"services":{"5":{
            "serviceName":"main","image":"i","healthcheck":{}}}}}}
            """
        _ = try parser.parse(Array(text.utf8))
        #expect(
            parser.warnings.sorted() == [
                "apps.1.color: unknown, ignored",
                "apps.1.services.5.healthcheck: unknown, ignored",
                "zone: unknown, ignored",
            ]
        )
    }

    @Test func `every key that is read is known`() throws {
        let members = Composition.keys.sorted().map { "\"\($0)\":null" }.joined(separator: ",")
        var parser = TargetParser()
        _ = try parser.parse(Array(Sample.document(service: members).utf8))
        #expect(parser.warnings.isEmpty)
    }

    @Test func `a syntax error is told with line and column`() throws {
        let error = #expect(throws: TargetError.self) { try Sample.parse("{\n  \"apps\": {,}\n}") }
        #expect(error?.place == "line 2, column 12")
        #expect(error?.reason.isEmpty == false)
    }

    @Test func `a file cut short is refused`() throws {
        let whole = Array(Sample.document(service: #""command":["a"]"#).utf8)
        for length in 0..<whole.count {
            var parser = TargetParser()
            #expect(throws: TargetError.self) { _ = try parser.parse(Array(whole[..<length])) }
        }
    }

    // MARK: Several services

    private static let whole = """
        {"apps":{"7":{"commit":"c","services":{
          "1":{"serviceName":"web","image":"i","depends_on":{"db":{"condition":"service_healthy"},"cache":null},
               "networks":{"front":{"aliases":["www"],"ipv4_address":"10.9.0.5"},"back":null}},
          "2":{"serviceName":"db","image":"i","networks":["back"],"volumes":["rows:/var/lib/db:ro","/dev/shm:/shm"]},
          "3":{"serviceName":"cache","image":"i","depends_on":["db"]},
          "4":{"serviceName":"agent","image":"i","network_mode":"host"}},
         "volumes":{"rows":{"driver":"local","driver_opts":{"type":"tmpfs"},"labels":{"a":"b"}},"spare":null},
         "networks":{"back":{"internal":true,"enable_ipv6":true},
           "front":{"ipam":{"config":[{"subnet":"10.9.0.0/24","gateway":"10.9.0.1"}]}}}}}}
        """

    @Test func `an application of several services is read with its networks and volumes`() throws {
        let app = try #require(try Sample.parse(Self.whole)[AppID(7)])
        #expect(app.isMultiService)
        #expect(app.services.map(\.name) == ["db", "cache", "web", "agent"], "in the order in which they start")
        let web = try #require(app.services.first { $0.name == "web" })
        #expect(
            web.composition.networks == [
                NetworkMembership(network: "front", aliases: ["www"], ipv4Address: "10.9.0.5"),
                NetworkMembership(network: "back"),
            ]
        )
        #expect(
            web.composition.dependencies == [
                Dependency(service: "db", needsHealth: true), Dependency(service: "cache"),
            ]
        )
        let db = try #require(app.services.first { $0.name == "db" })
        #expect(db.composition.binds.map(\.source) == ["rows", "/dev/shm"])
        #expect(db.composition.binds.map(\.readOnly) == [true, false])
        #expect(app.volumes.map(\.name) == ["rows", "spare"])
        #expect(app.volumes.first?.options == ["type": "tmpfs"])
        #expect(app.networks.map(\.name) == ["back", "front", "default"])
        #expect(app.networks.first?.isInternal == true)
        #expect(app.networks.first?.enablesIPv6 == true)
        #expect(app.networks[1].subnets == [.init(subnet: "10.9.0.0/24", gateway: "10.9.0.1")])
    }

    @Test func `several services that say nothing share the network default`() throws {
        let app = try #require(try Sample.parse(Self.whole)[AppID(7)])
        let cache = try #require(app.services.first { $0.name == "cache" })
        #expect(cache.composition.networks == [NetworkMembership(network: "default")])
        #expect(cache.definition["networks"] == ["default"], "a container's label has to say it")
        let agent = try #require(app.services.first { $0.name == "agent" })
        #expect(agent.composition.networks.isEmpty)
        #expect(agent.composition.networkMode == "host")
    }

    @Test func `a lone service is on the host's network unless it says otherwise`() throws {
        let lone = try #require(try Sample.parse(Sample.document(service: "")).apps.first)
        #expect(!lone.isMultiService)
        #expect(lone.networks.isEmpty)
        let joined = try #require(try Sample.parse(Sample.document(service: #""networks":["default"]"#)).apps.first)
        #expect(joined.networks.map(\.name) == ["default"])
    }

    @Test func `a thousand services in a row are in order`() throws {
        let services = (0..<1000).map { number in
            #""\#(number)":{"serviceName":"s\#(number)","image":"i","depends_on":[\#(number < 999 ? "\"s\(number + 1)\"" : "")]}"#
        }
        let text = #"{"apps":{"1":{"commit":"c","services":{\#(services.joined(separator: ","))}}}}"#
        let app = try #require(try Sample.parse(text).apps.first)
        #expect(app.services.map(\.name) == (0..<1000).reversed().map { "s\($0)" })
    }

    @Test func `the labels of updates are read, with either prefix`() throws {
        func service(_ labels: String) throws -> ServiceTarget {
            try #require(
                try Sample.parse(Sample.document(service: #""labels":{\#(labels)}"#)).apps.first?.services.first
            )
        }
        let bare = try service("")
        #expect(bare.handOverTimeout == .seconds(60))
        #expect(bare.healthyAfter == nil)
        let old = try service(
            #""io.resin.update.strategy":"hand-over","io.resin.update.handover-timeout":"1500","io.supervisor.healthy-after":5"#
        )
        #expect(old.strategy == .handOver)
        #expect(old.handOverTimeout == .milliseconds(1500))
        #expect(old.healthyAfter == .seconds(5))
        let both = try service(
            #""io.resin.update.strategy":"hand-over","io.balena.update.strategy":"delete-then-download""#
        )
        #expect(both.strategy == .deleteThenDownload)
    }
}
