import Glibc
import Logging
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import TestSupport
import Testing

@testable import SupervisorPluginHost

@Suite(.timeLimit(.minutes(1)))
struct SocketTests {
    @Test(arguments: [false, true])
    func `a socket that is absent is a state, its coming and going are noticed`(persistent: Bool) async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            bench.writeSocketManifest(persistent ? "Lifecycle=persistent" : "")
            await bench.reload()
            #expect(await bench.plugin()["state"] == "absent")
            #expect(bench.host.provides("x.echo"))
            let error = try await bench.call("x.echo")
            #expect(error["error"]?["reason"] == "unavailable")
            #expect(await bench.plugin()["failures"] == 0)

            let peer = bench.peer { wire, _ in
                wire.greet()
                wire.echo()
            }
            #expect(try await bench.state(persistent ? "ready" : "idle") != nil)
            #expect(try await bench.call("x.echo", ["a": 1])["result"] == ["a": 1])
            peer.remove()
            // A connection that is up goes on.
            #expect(try await bench.call("x.echo", ["a": 2])["result"] == ["a": 2])
        }
    }

    @Test func `a socket in a directory that is yet to be made is noticed, too`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let path = bench.directory["run/plugins/test.sock"]
            bench.write(
                manifest: "[Plugin]\nName=test\nProvides=x.echo\n[Launch]\nMode=socket\nSocket=\(path)\n"
            )
            await bench.reload()
            #expect(await bench.plugin()["state"] == "absent")
            bench.directory.directory("run")
            bench.directory.directory("run/plugins")
            let peer = ScriptedPeer(path) { wire, _ in
                wire.greet([("x.echo", true)])
                wire.echo()
            }
            #expect(try await bench.state("idle") != nil)
            peer.remove()
            #expect(try await bench.state("absent") != nil)
        }
    }

    @Test func `a socket where nobody listens is absent, and found when somebody does`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let first = bench.peer { wire, _ in wire.greet() }
            first.stop()
            bench.writeSocketManifest("Lifecycle=persistent")
            await bench.reload()
            let absent = try await bench.state("absent")
            #expect(absent?["reason"]?.stringValue?.hasPrefix("nothing listens at") == true)
            unlink(first.path)
            let second = bench.peer { wire, _ in
                wire.greet()
                wire.echo()
            }
            defer { second.stop() }
            #expect(try await bench.state("ready") != nil)
        }
    }

    @Test func `an idle one is closed by the core, and the next call connects again`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let ends = Recorder<Int>()
            let peer = bench.peer { wire, number in
                wire.greet()
                wire.echo()
                ends.add(number)
            }
            defer { peer.stop() }
            bench.writeSocketManifest("IdleTimeoutSec=100ms")
            await bench.reload()
            #expect(try await bench.call("x.echo", ["a": 1])["result"] == ["a": 1])
            #expect(try await bench.state("idle") != nil)
            #expect(try await bench.call("x.echo", ["a": 2])["result"] == ["a": 2])
            #expect(try await bench.state("idle") != nil)
            #expect(ends.all == [0, 1])
            #expect(await bench.plugin()["failures"] == 0)
            #expect(!bench.events.all.contains { if case .gone = $0 { true } else { false } })
        }
    }

    @Test func `a reload restarts what has changed and nothing else, and tells who is gone`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let lives = Recorder<String>()
            func peer(_ name: String) -> ScriptedPeer {
                ScriptedPeer(bench.directory["\(name).sock"]) { wire, _ in
                    lives.add(name)
                    wire.greet([("\(name).do", true)], name: name)
                    wire.echo()
                }
            }
            func manifest(_ name: String, _ more: String = "") {
                bench.write(
                    manifest: """
                        [Plugin]
                        Name=\(name)
                        Provides=\(name).do
                        [Launch]
                        Mode=socket
                        Lifecycle=persistent
                        Socket=\(bench.directory["\(name).sock"])
                        \(more)
                        """,
                    name
                )
            }
            let peers = ["a", "b", "c"].map(peer)
            defer { peers.forEach { $0.stop() } }
            for name in ["a", "b", "c"] { manifest(name) }
            await bench.reload()
            for name in ["a", "b", "c"] { #expect(try await bench.state("ready", of: name) != nil) }
            manifest("b", "[Settings]\nColour=red")
            unlink(bench.directory["c.plugin"])
            symlink("/dev/null", bench.directory["c.plugin"])
            await bench.reload()
            #expect(try await bench.state("ready", of: "b") != nil)
            #expect(lives.all.sorted() == ["a", "b", "b", "c"])
            #expect(await bench.plugin("c")["state"] == "masked")
            #expect(await bench.plugin("c")["reason"] == .string("masked by \(bench.directory["c.plugin"])"))
            manifest("a", "[Match]\nDeviceType=other")
            await bench.reload()
            #expect(await bench.plugin("a")["state"] == "unmatched")
            #expect(!bench.host.provides("a.do"))
        }
    }

    @Test func `two providers of equal priority are both unused, and everybody is told`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            for name in ["one", "two"] {
                bench.write(
                    manifest: "[Plugin]\nName=\(name)\nProvides=x.echo\n[Launch]\nMode=socket\nSocket=/nowhere/s\n",
                    name
                )
            }
            await bench.reload()
            let line = "x.echo has providers of equal priority, so none is used: one, two"
            #expect(bench.host.ailment() == line)
            #expect(bench.log.lines.all.contains { $0.level == .error && $0.text == line })
            let reason = await bench.plugin("one")["reason"]?.stringValue ?? ""
            #expect(reason.hasPrefix("x.echo: not used, one and two have priority 0"))
            await #expect(throws: HostOperationError.self) { try await bench.call("x.echo") }
            bench.directory.directory("two.plugin.d")
            bench.directory.write("[Plugin]\nPriority=1\n", to: "two.plugin.d/p.conf")
            await bench.reload()
            #expect(bench.host.ailment() == nil)
            #expect(await bench.plugin("two")["used"] == ["x.echo"])
            #expect(await bench.plugin("one")["used"] == [])
        }
    }
}
