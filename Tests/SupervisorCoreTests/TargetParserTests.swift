import SupervisorPluginAPI
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
}
