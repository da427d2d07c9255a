import Testing

@testable import SupervisorCore

struct CrashTrackerTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")
    private static let other = ServiceKey(app: AppID(1), service: "other")

    private static func tracker(deathsAt seconds: Int...) -> CrashTracker {
        var tracker = CrashTracker()
        for second in seconds { tracker.died(key, exitCode: second, at: .seconds(second)) }
        return tracker
    }

    @Test func `three deaths within a minute are a loop, two are not`() {
        #expect(!Self.tracker(deathsAt: 0, 10).isLooping(Self.key, at: .seconds(10)))
        #expect(Self.tracker(deathsAt: 0, 10, 20).isLooping(Self.key, at: .seconds(20)))
        #expect(!Self.tracker(deathsAt: 0, 10, 20).isLooping(Self.other, at: .seconds(20)))
    }

    @Test func `a loop ends when the process has been up for a minute, and not before`() {
        var tracker = Self.tracker(deathsAt: 0, 10, 20)
        #expect(tracker.isLooping(Self.key, at: .seconds(1000)), "the engine waits")
        #expect(tracker.nextEnd == nil)
        tracker.started(Self.key, at: .seconds(1000))
        #expect(tracker.nextEnd == .seconds(1060))
        #expect(tracker.isLooping(Self.key, at: .seconds(1059)))
        #expect(!tracker.isLooping(Self.key, at: .seconds(1060)))
        let ended = [1059, 1060, 1060].map { tracker.settle(at: .seconds($0)) }
        #expect(ended == [[], [Self.key], []])
    }

    @Test func `a death within the minute goes on with the loop`() {
        var tracker = Self.tracker(deathsAt: 0, 10, 20)
        tracker.started(Self.key, at: .seconds(30))
        let begins = tracker.died(Self.key, exitCode: 1, at: .seconds(80))
        #expect(!begins, "it is the same loop")
        #expect(tracker.isLooping(Self.key, at: .seconds(95)))
    }

    @Test func `a death after the minute is the first of another loop`() {
        var tracker = Self.tracker(deathsAt: 0, 10, 20)
        tracker.started(Self.key, at: .seconds(30))
        tracker.died(Self.key, exitCode: 1, at: .seconds(100))
        #expect(!tracker.isLooping(Self.key, at: .seconds(100)))
    }

    @Test func `last lines are few, short, and of a loop only`() {
        var tracker = Self.tracker(deathsAt: 0, 10)
        let lines = (1...9).map { EngineLogLine(isError: true, text: "\($0)" + String(repeating: "ä", count: 2000)) }
        tracker.record(lines, of: Self.key)
        #expect(tracker.lines(of: Self.key, at: .seconds(10)) == [])
        tracker.died(Self.key, exitCode: 1, at: .seconds(20))
        tracker.record(lines, of: Self.key)
        let kept = tracker.lines(of: Self.key, at: .seconds(20))
        #expect(kept.map { $0.first } == ["5", "6", "7", "8", "9"])
        #expect(kept.allSatisfy { $0.utf8.count <= 512 })
    }

    @Test func `deaths far apart are no loop however many`() {
        #expect(!Self.tracker(deathsAt: 0, 31, 62, 93, 124).isLooping(Self.key, at: .seconds(124)))
    }

    @Test func `the last three count`() {
        #expect(Self.tracker(deathsAt: 0, 1, 100, 110, 120).isLooping(Self.key, at: .seconds(120)))
    }

    @Test func `a container made anew has no history`() {
        var tracker = Self.tracker(deathsAt: 0, 1, 2)
        #expect(tracker.exitCode(of: Self.key) == 2)
        tracker.forget(Self.key)
        #expect(!tracker.isLooping(Self.key, at: .seconds(2)))
        #expect(tracker.exitCode(of: Self.key) == nil)
    }

    @Test func `an unknown exit status forgets the one before`() {
        var tracker = Self.tracker(deathsAt: 3)
        tracker.died(Self.key, exitCode: nil, at: .seconds(4))
        #expect(tracker.exitCode(of: Self.key) == nil)
    }
}
