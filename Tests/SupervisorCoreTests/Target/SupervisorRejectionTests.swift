import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// A target of which one application is wrong: the others are updated all the same.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorRejectionTests {
    private static let bad = Sample.app("app:2", commit: "c2", ["restart": "sometimes"])
    private static let before = Sample.target((1, Sample.app("app:1")), (2, Sample.app("app:1")))
    private static let after = Sample.target((1, Sample.app("app:2", commit: "c2")), (2, bad))

    @Test func `a good application is updated, a wrong one keeps what it has, and the status says so`() async {
        await Bench.run(target: Self.before) { bench in
            await bench.change(target: Self.after)
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(2).image == "app:1")
            #expect(bench.container(2).state == .running)
            #expect(await bench.device("update_failed") == true)
            let error = await bench.device("update_error")?.stringValue ?? ""
            #expect(error.contains("apps.2.services.1.restart: sometimes is not one of"))
            #expect(await bench.device("commit")?.stringValue == "c2")
            await bench.change(target: Sample.target((1, Sample.app("app:2")), (2, Sample.app("app:2"))))
            #expect(bench.container(2).image == "app:2")
            #expect(await bench.device("update_failed") == false)
        }
    }

    @Test func `the last good target of each application outlives a restart`() async {
        await Bench.run(target: Self.before) { bench in
            await bench.change(target: Self.after)
            let id = bench.container(2).id
            bench.engine.die(id)
            await bench.restartSupervisor()
            #expect(bench.container(2).id == id)
            #expect(bench.container(2).state == .running)
            #expect(bench.container(1).image == "app:2")
            #expect(await bench.device("update_failed") == true)
            // The file is gone as well: the kept target has both.
            TestFile.removeTree(bench.targetFile)
            bench.engine.die(bench.container(1).id)
            bench.engine.die(bench.container(2).id)
            await bench.restartSupervisor()
            #expect(bench.container(1).state == .running)
            #expect(bench.container(2).state == .running)
        }
    }

    @Test func `with the kept target lost, a wrong application continues as its containers say`() async {
        await Bench.run(target: Self.before) { bench in
            await bench.change(target: Self.after)
            for name in TestFile.names(bench.files["state"]) where name.hasPrefix("target") {
                TestFile.removeTree(bench.files["state/\(name)"])
            }
            let id = bench.container(2).id
            bench.engine.die(id)
            await bench.restartSupervisor()
            #expect(bench.container(2).id == id)
            #expect(bench.container(2).state == .running)
            await bench.advance(.seconds(120))
            #expect(bench.container(2).id == id)
            #expect(bench.container(2).state == .running)
        }
    }

    @Test func `a wrong application that never ran is named, and the rest runs`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1")), (2, Self.bad), (3, Self.bad))) { bench in
            #expect(bench.container(1).state == .running)
            #expect(bench.engine.containers.count == 1)
            let error = await bench.device("update_error")?.stringValue ?? ""
            #expect(error.contains("apps.2.services.1.restart") && error.contains("apps.3.services.1.restart"))
        }
    }

    @Test func `beside a wrong application another one is removed`() async {
        await Bench.run(target: Self.before) { bench in
            await bench.change(target: Sample.target((2, Self.bad)))
            #expect(bench.engine.containers.map { $0.labels[ContainerLabel.app] } == ["2"])
        }
    }

    @Test func `as long as it is not known which application is meant, none is removed`() async {
        await Bench.run(target: Self.before) { bench in
            let apps: JSONObject = ["1": Sample.app("app:2"), "2x": Sample.app("app:2")]
            await bench.change(target: ["apps": .object(apps)])
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(2).image == "app:1")
            #expect(bench.container(2).state == .running)
            let error = await bench.device("update_error")?.stringValue ?? ""
            #expect(error.contains("apps.2x: an application's id must consist of digits"))
        }
    }

    @Test func `an application that is listed twice stays as it is`() async {
        await Bench.run(target: Self.before) { bench in
            let apps: JSONObject = [
                "1": Sample.app("app:2"), "2": Sample.app("app:2"), "02": Sample.app("app:3"),
            ]
            await bench.change(target: ["apps": .object(apps)])
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(2).image == "app:1")
        }
    }

    @Test func `a file that does not parse is a failed update`() async {
        await Bench.run(target: Self.before) { bench in
            TestFile.write("{", bench.targetFile)
            bench.watcher.changed(bench.targetFile)
            await bench.settle()
            #expect(await bench.device("update_failed") == true)
            #expect(await bench.device("update_error")?.stringValue?.contains("line 1, column 2") == true)
        }
    }
}
