import HostOperations
import TestSupport
import Testing

@testable import SupervisorCore

struct SupervisorReapingTests {
    /// A purged tree of root's with hundreds of thousands of files takes many seconds to look through.
    @Test func `while what was purged is removed, other work on files is done`() async {
        await Bench.run { bench in
            let reaper = InlineWorker()
            reaper.hang()
            bench.useReaper(reaper)
            bench.files.file("data/\(LeftoverPrefix.purged)1/file")
            await bench.start()
            #expect(await bench.supervisor.reaping.isUnderWay)
            _ = try await bench.supervisor.regenerateKey()
            _ = await bench.supervisor.device()
            #expect(bench.files.exists("data/\(LeftoverPrefix.purged)1/file"))
            reaper.goOn()
            await bench.settle()
            #expect(!bench.files.exists("data/\(LeftoverPrefix.purged)1"))
        }
    }

    @Test func `a slice that is under way ends early when the core stops`() {
        let reaping = Reaping()
        let cancellation = reaping.cancellation
        var reaper = Reaper(limit: 1000) { cancellation.isCancelled }
        reaping.stop()
        reaper.remove("/nonexistent/x")
        #expect(cancellation.isCancelled && reaper.obstacle == nil)
    }
}
