import Glibc
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// Restart, purge, stop and start through the API.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorOperationTests {
    private static let one = Sample.target((1, Sample.app("app:1")))
    private static let remake = ["create 1/main", "stop 1/main", "start 1/main", "remove 1/main"]
    private static let app = AppID(1)

    // MARK: Restart

    @Test func `restart removes the container, makes it anew and starts it`() async {
        await Bench.run(target: Self.one) { bench in
            let before = bench.container(1)
            try await bench.answer { try await $0.restart(Self.app, force: false) }
            #expect(bench.engine.calls == Self.remake)
            #expect(bench.container(1).id != before.id)
            var labels = before.labels
            labels[ContainerLabel.generation] = bench.container(1).labels[ContainerLabel.generation]
            #expect(bench.container(1).labels == labels)
            #expect(bench.container(1).state == .running)
            await bench.advance(.seconds(120))
            #expect(bench.engine.calls == Self.remake, "the update cycle finds nothing to do")
        }
    }

    @Test func `restart does not apply a pending update`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            bench.engine.forgetCalls()
            try await bench.answer { try await $0.restart(Self.app, force: false) }
            #expect(bench.engine.calls == Self.remake)
            #expect(bench.container(1).image == "app:1")
        }
    }

    @Test func `a caller that goes away half way does not stop a restart`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let call = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            call.task?.cancel()
            await bench.settle()
            bench.engine.release(.stop)
            await bench.settle()
            #expect(bench.engine.calls == Self.remake)
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `a restart whose creation fails is told, and the update cycle puts it right`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.fail(.create, EngineError(.failed, "no space left on device"))
            let error = try await bench.refusal { try await $0.restart(Self.app, force: false) }
            #expect(error.code == .failed)
            #expect(error.message == "no space left on device")
            #expect(bench.container(1).state == .running)
            #expect(TestFile.names(bench.files["locks/1/main"]) == [])
        }
    }

    @Test func `a restart whose image can neither be found nor downloaded changes nothing`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.images = []
            bench.engine.fail(.pull, EngineError(.unreachable, "no route to host"))
            let error = try await bench.refusal { try await $0.restart(Self.app, force: false) }
            #expect(error.code == .failed)
            #expect(bench.engine.calls == ["pull app:1"])
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `a restart whose image is gone downloads it`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.images = []
            try await bench.answer { try await $0.restart(Self.app, force: false) }
            #expect(bench.engine.calls == ["pull app:1"] + Self.remake)
        }
    }

    @Test func `a restart whose tag is gone uses the image that the container has`() async {
        await Bench.run { bench in
            bench.engine.imageIDs["app:1"] = "sha256:first"
            await bench.start(target: Self.one)
            bench.engine.images = []
            bench.engine.forgetCalls()
            try await bench.answer { try await $0.restart(Self.app, force: false) }
            #expect(bench.engine.calls == Self.remake)
            #expect(bench.container(1).image == "sha256:first")
        }
    }

    // MARK: Purge

    @Test func `purge empties data between stop and start`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1")), (2, Sample.app("b:1")))) { bench in
            TestFile.makeDirectories(bench.files["data/1/deep/er"])
            TestFile.write("x", bench.files["data/1/deep/er/file"])
            TestFile.write("theirs", bench.files["data/2/file"])
            nonisolated(unsafe) var seen: [String] = ["not started"]
            let data = bench.files["data/1"]
            bench.engine.onStart = { _ in seen = TestFile.names(data) }
            try await bench.answer { try await $0.purge(Self.app, force: false) }
            #expect(seen == [])
            #expect(bench.engine.calls == Self.remake)
            #expect(TestFile.mode(data) == 0o777)
            #expect(TestFile.text(bench.files["data/2/file"]) == "theirs")
            #expect(TestFile.names(bench.files["data"]) == ["1", "2"], "the old tree is reaped")
        }
    }

    @Test func `what a killed supervisor had purged is reaped at the next start`() async {
        await Bench.run(target: Self.one) { bench in
            TestFile.makeDirectories(bench.files["data/.purge-0011/deep"])
            await bench.restartSupervisor()
            #expect(TestFile.names(bench.files["data"]) == ["1"])
        }
    }

    @Test func `a purge that cannot stop the application keeps its data`() async {
        await Bench.run(target: Self.one) { bench in
            TestFile.write("x", bench.files["data/1/file"])
            bench.engine.fail(.stop, EngineError(.failed, "cannot kill"))
            _ = try await bench.refusal { try await $0.purge(Self.app, force: false) }
            #expect(TestFile.names(bench.files["data/1"]) == ["file"])
        }
    }

    // MARK: Stop and start

    @Test func `stop keeps the container, which stays stopped until start`() async {
        await Bench.run(target: Self.one) { bench in
            let id = bench.container(1).id
            let stopped = try await bench.answer { try await $0.stop(Self.app, force: false) }
            #expect(stopped == id)
            #expect(bench.engine.calls == ["stop 1/main"])
            await bench.advance(.seconds(300))
            #expect(bench.container(1).state == .exited)
            let again = try await bench.answer { try await $0.stop(Self.app, force: false) }
            #expect(again == id)
            let started = try await bench.answer { try await $0.start(Self.app) }
            #expect(started == id)
            #expect(bench.engine.calls == ["stop 1/main", "start 1/main"])
            let running = try await bench.answer { try await $0.start(Self.app) }
            #expect(running == id)
            #expect(bench.engine.calls == ["stop 1/main", "start 1/main"])
        }
    }

    @Test func `a stopped application runs again after a restart of the supervisor`() async {
        await Bench.run(target: Self.one) { bench in
            _ = try await bench.answer { try await $0.stop(Self.app, force: false) }
            await bench.restartSupervisor()
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `an update of a stopped application runs it`() async {
        await Bench.run(target: Self.one) { bench in
            _ = try await bench.answer { try await $0.stop(Self.app, force: false) }
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `start makes no way past a pause, and leaves the lock alone`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            bench.engine.change(bench.container(1).id, .paused)
            let error = try await bench.refusal { try await $0.start(Self.app) }
            #expect(error.code == .failed)
            #expect(TestFile.exists(bench.lockPath(1)), "its process is still there")
        }
    }

    @Test func `start of an application whose container is still to come says when to come again`() async {
        await Bench.run { bench in
            bench.engine.hold(.pull)
            await bench.start(target: Self.one)
            let error = try await bench.refusal { try await $0.start(Self.app) }
            #expect(error.code == .unavailable)
            #expect(error.retryAfter == 5)
        }
    }

    // MARK: Refusals

    /// Every operation on one application.
    enum Operation: CaseIterable, Sendable {
        case restart, purge, stop, start

        func call(_ supervisor: Supervisor, _ app: AppID, force: Bool = false) async throws {
            switch self {
            case .restart: try await supervisor.restart(app, force: force)
            case .purge: try await supervisor.purge(app, force: force)
            case .stop: _ = try await supervisor.stop(app, force: force)
            case .start: _ = try await supervisor.start(app)
            }
        }
    }

    @Test(arguments: Operation.allCases)
    func `an unknown application is not found`(operation: Operation) async {
        await Bench.run(target: Self.one) { bench in
            let error = try await bench.refusal { try await operation.call($0, AppID(9)) }
            #expect(error.code == .notFound)
            #expect(error.message.contains("9"))
            #expect(bench.engine.calls == [])
        }
    }

    @Test(arguments: Operation.allCases)
    func `with the engine away every operation is unavailable`(operation: Operation) async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.goAway()
            let error = try await bench.refusal { try await operation.call($0, Self.app) }
            #expect(error.code == .unavailable)
        }
    }

    @Test(arguments: [Operation.restart, .purge, .stop])
    func `a locked application is left as it is, unless forced`(operation: Operation) async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            TestFile.write("x", bench.files["data/1/file"])
            let error = try await bench.refusal { try await operation.call($0, Self.app) }
            #expect(error.code == .locked)
            #expect(error.message.contains(bench.lockPath(1)))
            #expect(bench.engine.calls == [])
            #expect(bench.container(1).state == .running)
            #expect(TestFile.names(bench.files["data/1"]) == ["file"])
            #expect(TestFile.names(bench.files["locks/1/main"]) == ["updates.lock"])
            try await bench.answer { try await operation.call($0, Self.app, force: true) }
            #expect(bench.engine.calls.contains("stop 1/main"))
            #expect(TestFile.names(bench.files["locks/1/main"]) == [])
        }
    }

    @Test func `start does not honour the lock`() async {
        await Bench.run(target: Self.one) { bench in
            _ = try await bench.answer { try await $0.stop(Self.app, force: false) }
            bench.lock(1)
            _ = try await bench.answer { try await $0.start(Self.app) }
            #expect(bench.container(1).state == .running)
        }
    }

    @Test func `another application's lock is no obstacle`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1")), (2, Sample.app("b:1")))) { bench in
            bench.lock(2)
            try await bench.answer { try await $0.restart(Self.app, force: false) }
            #expect(bench.engine.calls == Self.remake)
        }
    }

    @Test(arguments: [Operation.stop, .start])
    func `an application of two services is not for an endpoint about one container`(operation: Operation) async {
        await Bench.run(target: Self.one) { bench in
            let name = bench.container(1).name
            var second = ContainerSpecification(name: "second" + name.dropFirst("main".count), image: "app:1")
            second.labels = bench.container(1).labels
            second.labels[ContainerLabel.service] = "second"
            bench.engine.add(second, .running)
            let error = try await bench.refusal { try await operation.call($0, Self.app) }
            #expect(error.code == .invalidArgument)
            #expect(bench.engine.calls.isEmpty || !bench.engine.calls.contains("stop 1/main"))
        }
    }

    // MARK: One at a time

    @Test func `a second operation waits for the first`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let first = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let second = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.advance(.seconds(15))
            #expect(second.result == nil)
            bench.engine.release(.stop)
            await bench.settle()
            #expect(first.result != nil && first.error == nil)
            #expect(second.result != nil && second.error == nil)
            #expect(bench.engine.calls == Self.remake + Self.remake)
        }
    }

    @Test func `who waits ten seconds longer than a stop may take is refused`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1", ["stop_grace_period": 30])))) { bench in
            bench.engine.hold(.stop)
            let first = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let second = bench.call { try await $0.purge(Self.app, force: true) }
            let third = bench.call { try await $0.start(Self.app) }
            await bench.advance(.milliseconds(39_900))
            #expect(second.result == nil)
            #expect(third.result == nil)
            await bench.advance(.milliseconds(200))
            #expect(second.error?.code == .locked)
            #expect(third.error?.code == .busy)
            #expect(third.error?.retryAfter == 5)
            bench.engine.release(.stop)
            await bench.settle()
            #expect(first.result != nil && first.error == nil)
            #expect(bench.engine.calls == Self.remake, "who was refused changed nothing")
        }
    }

    @Test func `an operation on one application does not wait for another's`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1")), (2, Sample.app("b:1")))) { bench in
            bench.engine.hold(.stop)
            let first = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let other = try await bench.answer { try await $0.start(AppID(2)) }
            #expect(other == bench.container(2).id)
            #expect(first.result == nil)
            bench.engine.release(.stop)
            await bench.settle()
        }
    }

    @Test func `a download does not hold up an operation`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            try await bench.answer { _ = try await $0.stop(Self.app, force: false) }
            bench.engine.release(.pull)
            await bench.settle()
            #expect(bench.container(1).image == "app:2")
        }
    }

    @Test func `an operation waits for an update of the same application`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.create)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            let call = bench.call { try await $0.stop(Self.app, force: false) }
            await bench.advance(.seconds(5))
            #expect(call.result == nil)
            bench.engine.release(.create)
            await bench.settle()
            #expect(bench.container(1).image == "app:2")
            #expect(bench.container(1).state == .exited)
            #expect(call.result != nil && call.error == nil)
        }
    }

    @Test func `an update does not begin in the middle of an operation`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let call = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(bench.engine.calls == ["create 1/main", "stop 1/main", "pull app:2"])
            bench.engine.release(.stop)
            await bench.settle()
            #expect(call.result != nil && call.error == nil)
            #expect(bench.container(1).image == "app:2")
            #expect(bench.engine.containers.count == 1)
        }
    }
}
