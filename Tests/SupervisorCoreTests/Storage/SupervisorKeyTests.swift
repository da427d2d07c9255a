import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// The API key and its rotation.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorKeyTests {
    private static let one = Sample.target((1, Sample.app("app:1")))

    @Test func `the key is accepted as a whole and not otherwise`() async {
        await Bench.run { bench in
            let key = await bench.supervisor.currentKey()
            #expect(await bench.supervisor.accepts(key: key))
            for wrong in ["", String(key.dropLast()), key + "0", key.uppercased() + " ", String(key.reversed()) + "x"] {
                #expect(await !bench.supervisor.accepts(key: wrong), "\(wrong.utf8.count) bytes")
            }
        }
    }

    @Test func `a new key replaces the old one for the very next request, on the disk, and in the container`() async {
        await Bench.run(target: Self.one) { bench in
            let old = await bench.supervisor.currentKey()
            #expect(bench.environment(1)["RESIN_SUPERVISOR_API_KEY"] == old)
            let new = try await bench.answer { supervisor in
                let new = try await supervisor.regenerateKey()
                #expect(await !supervisor.accepts(key: old))
                #expect(await supervisor.accepts(key: new))
                return new
            }
            #expect(new != old)
            #expect(new.utf8.count == 64)
            #expect(TestFile.text(bench.files["state/api-key"]) == new)
            #expect(TestFile.text(bench.files["state/api-key.last"]) == new)
            #expect(bench.engine.calls == ["create 1/main", "stop 1/main", "start 1/main", "remove 1/main"])
            #expect(bench.environment(1)["RESIN_SUPERVISOR_API_KEY"] == new)
            #expect(bench.environment(1)["BALENA_SUPERVISOR_API_KEY"] == new)
        }
    }

    @Test func `a locked application gets the new key after its unlock`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            let new = try await bench.answer { try await $0.regenerateKey() }
            #expect(bench.engine.calls == [])
            #expect(await bench.device("update_pending") == true)
            await bench.unlock(1)
            #expect(bench.environment(1)["RESIN_SUPERVISOR_API_KEY"] == new)
        }
    }

    @Test func `the new key outlives the supervisor`() async {
        await Bench.run(target: Self.one) { bench in
            let new = try await bench.answer { try await $0.regenerateKey() }
            bench.engine.forgetCalls()
            await bench.restartSupervisor()
            #expect(await bench.supervisor.accepts(key: new))
            #expect(bench.engine.calls == [], "the container has it already")
        }
    }

    @Test func `where the new key cannot be kept the old one goes on`() async {
        await Bench.run(target: Self.one) { bench in
            let old = await bench.supervisor.currentKey()
            // No file can be made where the directory is none any more.
            TestFile.removeTree(bench.files["state"])
            TestFile.write("", bench.files["state"])
            let error = try await bench.refusal { try await $0.regenerateKey() }
            #expect(error.code == .unavailable)
            #expect(!error.message.contains(old))
            #expect(await bench.supervisor.accepts(key: old))
            #expect(bench.engine.calls == [])
        }
    }

    @Test func `of two rotations at once the last one answered is the key`() async {
        await Bench.run { bench in
            await bench.start()
            let first = bench.call { try await $0.regenerateKey() }
            let second = bench.call { try await $0.regenerateKey() }
            await bench.settle()
            let keys = try [first, second].map { try #require($0.result).get() }
            let current = await bench.supervisor.currentKey()
            #expect(keys.contains(current))
            #expect(keys[0] != keys[1])
            #expect(TestFile.text(bench.files["state/api-key"]) == current)
        }
    }
}
