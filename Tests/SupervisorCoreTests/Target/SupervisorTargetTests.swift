import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// A target file that is wrong, gone or lost, and a supervisor that was killed.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorTargetTests {
    private static let one = Sample.target((1, Sample.app("app:1")))

    @Test func `a wrong target file leaves the last good target in force, and says where it is wrong`() async {
        await Bench.run(target: Self.one) { bench in
            TestFile.write(#"{"apps":{"1":{"commit":5}}}"#, bench.targetFile)
            bench.watcher.changed(bench.targetFile)
            await bench.settle()
            #expect(bench.engine.calls == [])
            let update = await bench.supervisor.status()["update"]
            #expect(
                update?["targetError"]
                    == .string("\(bench.targetFile): apps.1.commit: expected a string, found a number")
            )
            // Across a restart too.
            bench.engine.die(bench.container(1).id)
            await bench.restartSupervisor()
            #expect(bench.engine.calls == ["start 1/main"])
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.container(1).image == "app:2")
            #expect(await bench.supervisor.status()["update"]?["targetError"] == JSONValue.null)
        }
    }

    @Test func `while the target file is wrong no image is removed`() async {
        await Bench.run(target: Self.one) { bench in
            let other = bench.engine.add(ContainerSpecification(name: "theirs", image: "app:1"), .running)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            bench.engine.containers.removeAll { $0.id == other }
            await bench.change(target: [])
            await bench.advance(.seconds(120))
            #expect(bench.engine.images == ["app:1", "app:2"])
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.engine.images == ["app:2"])
        }
    }

    @Test func `a target file that is gone takes nothing away`() async {
        await Bench.run(target: Self.one) { bench in
            TestFile.removeTree(bench.targetFile)
            bench.watcher.changed(bench.targetFile)
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == [])
            await bench.restartSupervisor()
            #expect(bench.engine.calls == [])
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `a target file of which the watcher told nothing is seen at the next poll`() async {
        await Bench.run(target: Self.one) { bench in
            // The check that follows a connection to the engine by a second is over.
            await bench.advance(.seconds(1))
            bench.write(Sample.target((1, Sample.app("app:2"))))
            await bench.advance(.seconds(59))
            #expect(bench.engine.calls == [])
            await bench.advance(.seconds(1))
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `with every file of the target lost, what runs says what should run`() async {
        await Bench.run(target: Self.one) { bench in
            TestFile.removeTree(bench.targetFile)
            for name in TestFile.names(bench.files["state"]) where name.hasPrefix("target") {
                TestFile.removeTree(bench.files["state/\(name)"])
            }
            let id = bench.container(1).id
            bench.engine.die(id)
            await bench.restartSupervisor()
            #expect(bench.engine.calls == ["start 1/main"], "nothing was made anew")
            #expect(bench.container(1).id == id)
        }
    }

    // MARK: Killed anywhere

    /// The engine's calls of an update, before each of which the supervisor may be killed.
    @Test(arguments: [FakeEngine.Operation.pull, .stop, .remove, .create, .start, .removeImage])
    func `a supervisor that was killed in the middle of an update ends it after its start`(
        at operation: FakeEngine.Operation
    ) async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.fail(operation, EngineError(.unavailable, "killed"))
            bench.engine.goesAwayAfterFailure = true
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            bench.engine.goesAwayAfterFailure = false
            bench.engine.comeBack()
            await bench.restartSupervisor()
            await bench.advance(.seconds(5))
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(1).state == .running)
            #expect(bench.engine.images == ["app:2"])
        }
    }

    @Test func `a byte order mark before a target is no part of it`() throws {
        let text = Array(Sample.document(service: "").utf8)
        var parser = TargetParser()
        #expect(try parser.parse([0xEF, 0xBB, 0xBF] + text).target == parser.parse(text).target)
    }
}
