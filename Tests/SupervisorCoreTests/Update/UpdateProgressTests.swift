import Testing

@testable import SupervisorCore

struct UpdateProgressTests {
    @Test func `an update is downloaded when it waits for nothing but its turn`() {
        var progress = UpdateProgress()
        progress.planned(isPending: true, hasDownloads: true, hasFailures: false)
        #expect(progress.isPending && !progress.isDownloaded)
        progress.planned(isPending: true, hasDownloads: false, hasFailures: false)
        #expect(progress.isPending && progress.isDownloaded)
        progress.planned(isPending: false, hasDownloads: false, hasFailures: true)
        #expect(progress.isPending && !progress.isDownloaded)
    }

    @Test func `a check that fails is a failed update only where one is pending`() {
        var progress = UpdateProgress()
        progress.checkBegan()
        let isNew = [progress.failed("away"), progress.failed("away")]
        #expect(isNew == [true, false])
        #expect(!progress.hasFailed)
        progress.checkEnded(next: .seconds(5))
        #expect(progress.nextAttempt == nil)
        progress.planned(isPending: true, hasDownloads: false, hasFailures: false)
        _ = progress.failed("away")
        progress.checkEnded(next: .seconds(7))
        #expect(progress.hasFailed)
        #expect(progress.nextAttempt == .seconds(7))
        #expect(progress.checksBegun == 1)
        #expect(progress.checksEnded == 2)
    }

    @Test func `a success clears all but what was rolled back`() {
        var progress = UpdateProgress()
        progress.downloadBegan()
        progress.downloaded(percentage: 40)
        #expect(progress.status == .downloading && progress.download == 40)
        progress.succeeded(isPending: false, rollBack: "rolled back")
        #expect(progress.status == .idle && progress.download == nil)
        #expect(progress.hasFailed && progress.error == "rolled back")
        progress.succeeded(isPending: false, rollBack: nil)
        #expect(!progress.hasFailed && progress.error == nil)
    }
}
