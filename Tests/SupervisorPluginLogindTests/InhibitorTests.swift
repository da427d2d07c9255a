import DBus
import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_logind

struct InhibitorTests {
    static func inhibitor(
        _ what: String,
        mode: String = "block",
        who: String = "apt",
        why: String = "upgrades"
    ) -> Inhibitor {
        Inhibitor(what: what, who: who, why: why, mode: mode, user: 0, process: 42)
    }

    @Test(arguments: [
        ("shutdown", "block", true), ("sleep:shutdown:idle", "block", true), ("shutdown", "block-weak", true),
        ("shutdown", "delay", false), ("sleep", "block", false), ("handle-shutdown", "block", false), ("", "", false),
    ])
    func onlyBlocksOfShutdownCount(what: String, mode: String, blocks: Bool) {
        #expect(Self.inhibitor(what, mode: mode).blocksShutdown == blocks)
    }

    @Test func anElementOfTheListIsRead() {
        let value = BusValue.structure([
            .string("shutdown"), .string("apt"), .string("upgrades"), .string("block"), .uint32(0), .uint32(42),
        ])
        #expect(Inhibitor(value) == Self.inhibitor("shutdown"))
        #expect(Inhibitor(.structure([.string("shutdown")])) == nil)
        #expect(Inhibitor(.string("shutdown")) == nil)
    }

    @Test func whatAProgramSaysOfItselfStaysOnOneShortLine() {
        let long = String(repeating: "x", count: 5000)
        let text = Self.inhibitor("shutdown", who: "a\nb\u{1B}[31m", why: long).description
        #expect(text.hasPrefix("a b [31m: xxx"))
        #expect(text.utf8.count < 300)
        #expect(Self.inhibitor("shutdown", who: "", why: "").description == "a program, process 42 of user 0")
    }

    @Test func aRefusalNamesTheFirstAndListsAll() {
        let blockers = [Self.inhibitor("shutdown"), Self.inhibitor("sleep:shutdown", who: "backup", why: "runs")]
        let error = Power.refusal(of: .reboot, blockers: blockers, source: "a.B")
        #expect(error?.reason == .busy)
        #expect(error?.message == "cannot reboot: blocked by apt: upgrades, process 42 of user 0 and 1 more")
        #expect(
            error?.detail == "shutdown block: apt: upgrades, process 42 of user 0; "
                + "sleep:shutdown block: backup: runs, process 42 of user 0"
        )
        #expect(error?.source == "a.B")
        #expect(Power.refusal(of: .reboot, blockers: [], source: nil) == nil)
    }
}
