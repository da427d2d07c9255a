import JSON
import Testing

@testable import SupervisorCore

/// What applications write, and what those who die wrote last.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorLogTests {
    private static let one = Sample.target((1, Sample.app("app:1")))

    private static func watch(_ bench: Bench, tail: Int = 100, follow: Bool = false) async throws -> Watcher {
        let stream = try await bench.answer {
            try await $0.logs(AppID(1), service: nil, tail: tail, follow: follow)
        }
        let watcher = Watcher(stream, bench)
        await bench.settle()
        return watcher
    }

    private static func line(_ text: String) -> String { #"{"service":"main","stream":"stdout","text":"\#(text)"}"# }

    @Test func `the last lines come, and the end`() async {
        await Bench.run(target: Self.one) { bench in
            for text in ["a", "b", "c"] { bench.engine.write(bench.container(1).id, text) }
            let watcher = try await Self.watch(bench, tail: 2)
            #expect(watcher.texts() == [Self.line("b"), Self.line("c"), #"{"end":true}"#])
            #expect(watcher.hasEnded)
        }
    }

    @Test func `whoever follows gets what comes, across a restart of the process and of the container`() async {
        await Bench.run(target: Self.one) { bench in
            let id = bench.container(1).id
            bench.engine.write(id, "a")
            let watcher = try await Self.watch(bench, follow: true)
            bench.engine.write(id, "b")
            await bench.settle()
            #expect(watcher.texts() == [Self.line("a"), Self.line("b")])
            // The engine starts it again.
            bench.engine.change(id, .restarting)
            bench.engine.emit(id, "die", 1)
            await bench.settle()
            bench.engine.change(id, .running)
            bench.engine.emit(id, "start")
            await bench.settle()
            bench.engine.write(id, "c")
            await bench.settle()
            #expect(watcher.texts() == [Self.line("c")])
            #expect(bench.engine.logRequests.last?.isSince == true)
            // We make another one.
            bench.engine.lines = []
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            await bench.advance(.seconds(2))
            bench.engine.write(bench.container(1).id, "d")
            await bench.settle()
            #expect(watcher.texts() == [Self.line("d")])
            #expect(bench.engine.logRequests.last?.isSince == false)
            #expect(!watcher.hasEnded)
            await bench.restartSupervisor()
            #expect(watcher.hasEnded)
        }
    }

    @Test func `a reader who leaves ends the engine's stream`() async {
        await Bench.run(target: Self.one) { bench in
            let watcher = try await Self.watch(bench, follow: true)
            await watcher.stream.cancel()
            await bench.settle()
            #expect(watcher.hasEnded)
            #expect(await bench.supervisor.logStreams.isEmpty)
            #expect(await !bench.supervisor.logStreams.hasFollowers)
        }
    }

    @Test func `what is not there is named`() async throws {
        await Bench.run(target: Self.one) { bench in
            let app = try await bench.refusal {
                try await $0.logs(AppID(2), service: nil, tail: 1, follow: false)
            }
            #expect(app == SupervisorError(.notFound, "There is no application 2 on this device"))
            let service = try await bench.refusal {
                try await $0.logs(AppID(1), service: "other", tail: 1, follow: false)
            }
            #expect(service.message == "Application 1 has no service other; it has: main")
        }
    }

    @Test func `an engine that fails is an error in the stream`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.fail(.logs, EngineError(.failed, "the log driver cannot be read"))
            let watcher = try await Self.watch(bench)
            #expect(
                watcher.texts() == [
                    #"{"service":"main","error":"the log driver cannot be read"}"#, #"{"end":true}"#,
                ]
            )
        }
    }

    // MARK: Crash loops

    /// The status of the only service.
    private static func service(_ bench: Bench) async -> JSONValue? {
        await bench.supervisor.status()["apps"]?.arrayValue?.first?["services"]?.arrayValue?.first
    }

    /// The process dies, and the engine starts it again.
    private static func crash(_ bench: Bench, times: Int) async {
        let id = bench.container(1).id
        for _ in 0..<times {
            bench.engine.change(id, .restarting)
            bench.engine.emit(id, "die", 7)
            await bench.advance(.seconds(1))
            bench.engine.change(id, .running)
            bench.engine.emit(id, "start")
            await bench.advance(.seconds(1))
        }
    }

    @Test func `a process that keeps dying is shown with its exit status and last lines, and not started by us`() async
    {
        await Bench.run(target: Self.one) { bench in
            let watcher = Watcher(await bench.supervisor.events(maximumAge: 0), bench)
            for number in 1...9 { bench.engine.write(bench.container(1).id, "line \(number)") }
            await Self.crash(bench, times: 2)
            #expect(await Self.service(bench)?["crashLooping"] == false)
            #expect(await Self.service(bench)?["lastLines"] == [])
            await Self.crash(bench, times: 8)
            let service = await Self.service(bench)
            #expect(service?["crashLooping"] == true)
            #expect(service?["exitCode"] == 7)
            #expect(service?["lastLines"] == ["line 5", "line 6", "line 7", "line 8", "line 9"])
            #expect(watcher.names().count { $0 == "service.crash-loop-began" } == 1)
            #expect(bench.engine.calls == [])
            #expect(bench.engine.logRequests.count == 1, "once within the time that the lines are good for")
        }
    }

    @Test func `a loop ends when the process has stayed up for a minute`() async {
        await Bench.run(target: Self.one) { bench in
            await Self.crash(bench, times: 4)
            let watcher = Watcher(await bench.supervisor.events(maximumAge: 0), bench)
            await bench.advance(.seconds(50))
            #expect(await Self.service(bench)?["crashLooping"] == true)
            #expect(watcher.names() == [])
            await bench.advance(.seconds(15))
            #expect(await Self.service(bench)?["crashLooping"] == false)
            #expect(watcher.names() == ["service.crash-loop-ended"])
        }
    }

    @Test func `a loop goes on while the engine waits ever longer`() async {
        await Bench.run(target: Self.one) { bench in
            await Self.crash(bench, times: 3)
            let id = bench.container(1).id
            bench.engine.change(id, .restarting)
            bench.engine.emit(id, "die", 7)
            await bench.advance(.seconds(600))
            #expect(await Self.service(bench)?["crashLooping"] == true)
        }
    }

    @Test func `an update and a stop end a loop`() async {
        await Bench.run(target: Self.one) { bench in
            await Self.crash(bench, times: 3)
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            await bench.advance(.seconds(2))
            #expect(bench.container(1).image == "app:2")
            #expect(await Self.service(bench)?["crashLooping"] == false)
            await Self.crash(bench, times: 3)
            #expect(await Self.service(bench)?["crashLooping"] == true)
            _ = try await bench.answer { try await $0.stop(AppID(1), force: false) }
            #expect(await Self.service(bench)?["crashLooping"] == false)
        }
    }

    @Test func `a supervisor that starts anew finds a loop that began before it`() async {
        await Bench.run(target: Self.one) { bench in
            let id = bench.container(1).id
            bench.engine.write(id, "why")
            bench.engine.restartCount = 12
            bench.engine.exitCode = 9
            bench.engine.change(id, .restarting)
            await bench.restartSupervisor()
            await bench.advance(.seconds(2))
            #expect(await Self.service(bench)?["crashLooping"] == true)
            #expect(await Self.service(bench)?["exitCode"] == 9)
            #expect(await Self.service(bench)?["lastLines"] == ["why"])
        }
    }
}
