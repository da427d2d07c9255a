import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// The end of a supervisor, as SIGTERM brings it.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorDrainTests {
    private static let one = Sample.target((1, Sample.app("app:1")))
    private static let remake = ["create 1/main", "stop 1/main", "start 1/main", "remove 1/main"]
    private static let app = AppID(1)

    @Test func `a drain finishes the operation under way and returns then`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let call = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.settle()
            #expect(drain.result == nil)
            bench.engine.release(.stop)
            await bench.settle()
            #expect(drain.result != nil)
            #expect(call.result != nil && call.error == nil)
            #expect(bench.engine.calls == Self.remake)
        }
    }

    @Test func `a drain gives up on what hangs`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            let call = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.advance(.milliseconds(9_900))
            #expect(drain.result == nil)
            await bench.advance(.milliseconds(200))
            #expect(drain.result != nil)
            bench.engine.release(.stop)
            await bench.settle()
            #expect(call.result != nil)
        }
    }

    @Test func `an operation that waited for its turn does not begin while the core drains`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.stop)
            _ = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let second = bench.call { try await $0.restart(Self.app, force: false) }
            await bench.settle()
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.settle()
            bench.engine.release(.stop)
            await bench.settle()
            #expect(bench.engine.calls == Self.remake)
            #expect(second.error?.code == .unavailable)
            #expect(drain.result != nil)
        }
    }

    @Test func `a drain aborts a download, finishes an update step and leaves applications running`() async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(.pull)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.settle()
            #expect(drain.result != nil)
            #expect(bench.engine.calls == ["pull app:2"])
            #expect(bench.container(1).state == .running)
            let error = try await bench.refusal { try await $0.restart(Self.app, force: false) }
            #expect(error.code == .unavailable)
        }
    }

    @Test func `a drain in the middle of a replacement finishes it and begins no other`() async {
        await Bench.run(target: Sample.target((1, Sample.app("a:1")), (2, Sample.app("b:1")))) { bench in
            bench.engine.hold(.stop)
            await bench.change(target: Sample.target((1, Sample.app("a:2")), (2, Sample.app("b:2"))))
            let drain = bench.call { await $0.drain(within: .seconds(10)) }
            await bench.settle()
            bench.engine.release(.stop)
            await bench.settle()
            #expect(drain.result != nil)
            #expect(bench.container(1).image == "a:2")
            #expect(bench.container(1).state == .running)
            #expect(bench.container(2).image == "b:1")
            #expect(bench.container(2).state == .running)
            #expect(TestFile.names(bench.files["locks/2/main"]) == [], "the lock of the other one is given back")
        }
    }

    @Test func `a core that stops refuses every change with the same words`() async {
        await Bench.run(target: Self.one) { bench in
            let key = await bench.supervisor.currentKey()
            await bench.supervisor.drain(within: .seconds(10))
            let refusals = [
                try await bench.refusal { try await $0.restart(Self.app, force: false) },
                try await bench.refusal { try await $0.regenerateKey() },
                try await bench.refusal { try await $0.setTCPPing(false, requestID: nil) },
                try await bench.refusal { try await $0.setHostConfig([:], requestID: nil) },
                try await bench.refusal { try await $0.reboot(force: false, requestID: nil) },
                try await bench.refusal { try await $0.waitUntilUnlocked() },
            ]
            for refusal in refusals {
                #expect(refusal.code == .unavailable)
                #expect(refusal.message == "The supervisor is stopping")
            }
            #expect(await bench.supervisor.currentKey() == key)
        }
    }
}
